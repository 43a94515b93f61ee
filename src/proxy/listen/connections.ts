/** Connections of clients, as metrics. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface ConnectionCounts {
  opened(): void;
  closed(): void;
  /** Closed at once, because there were as many as may be. */
  refused(): void;
}

export function createConnectionCounts(registry: Registry): ConnectionCounts {
  const registers = [registry];
  const open = new Gauge({
    name: "cutover_client_connections",
    help: "Connections of clients, idle ones included.",
    registers,
  });
  const refused = new Counter({
    name: "cutover_client_connections_refused_total",
    help: "Connections of clients closed at once, because there were as many as may be.",
    registers,
  });
  return { opened: () => open.inc(), closed: () => open.dec(), refused: () => refused.inc() };
}
