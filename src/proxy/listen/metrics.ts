/**
 * Connections of clients, as metrics: how many there are and were refused; and those whose protocol was changed
 * (WebSocket): how many there are, and what ended the others.
 */
import { Counter, Gauge, type Registry } from "prom-client";
import { sides } from "../../state/rules/model.ts";
import { type TunnelEnd, tunnelEnds } from "../relay/tunnel.ts";
import type { ServedSide } from "../witness.ts";
import { type HeaderFault, headerFaults } from "./proxy-protocol.ts";

export interface UpgradeCounts {
  /** @returns to be called once, when both connections are closed */
  opened(cutover: string, side: ServedSide): (end: TunnelEnd) => void;
  /** Has the series of these cutovers exist, at 0 where nothing was counted. */
  configure(cutovers: readonly string[]): void;
}

/** @param cutovers the names whose series exist at 0 from the start */
export function createUpgradeCounts(registry: Registry, cutovers: readonly string[]): UpgradeCounts {
  const open = new Gauge({
    name: "cutover_upgraded_connections",
    help: "Connections open after a change of protocol (WebSocket).",
    labelNames: ["cutover", "side"],
    registers: [registry],
  });
  const ended = new Counter({
    name: "cutover_upgraded_connections_ended_total",
    help: "Connections that ended after a change of protocol, by what ended them.",
    labelNames: ["cutover", "side", "end"],
    registers: [registry],
  });
  const show = (cutover: string, side: ServedSide) => {
    open.inc({ cutover, side }, 0);
    for (const end of tunnelEnds) ended.inc({ cutover, side, end }, 0);
  };
  const configure = (names: readonly string[]) => {
    for (const name of names) for (const side of sides) show(name, side);
  };
  show("none", "none");
  configure(cutovers);
  return {
    configure,
    opened(cutover, side) {
      open.inc({ cutover, side });
      return (end) => {
        open.dec({ cutover, side });
        ended.inc({ cutover, side, end });
      };
    },
  };
}

export interface ConnectionCounts {
  opened(): void;
  closed(): void;
  /** Closed at once, because there were as many as may be, or descriptors are running out. */
  refused(): void;
  /** Closed, because a trusted proxy did not say whose it was, or not as it must. */
  headerRefused(fault: HeaderFault): void;
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
    help: "Connections of clients closed at once: there were as many as may be, or descriptors are running out.",
    registers,
  });
  const headers = new Counter({
    name: "cutover_proxy_protocol_refused_total",
    help: "Connections of trusted proxies closed because of what was to be their PROXY header, by what was wrong with it.",
    labelNames: ["fault"],
    registers,
  });
  for (const fault of headerFaults) headers.inc({ fault }, 0);
  const headerRefused = (fault: HeaderFault) => headers.inc({ fault });
  return { headerRefused, opened: () => open.inc(), closed: () => open.dec(), refused: () => refused.inc() };
}
