/** What stands between the proxy and each upstream, as metrics: requests there and waiting, shed, breaker, health. */
import { Counter, Gauge, type Registry } from "prom-client";
import { type ShedReason, shedReasons } from "./admission.ts";
import { type BreakerState, breakerStates } from "./breaker.ts";

/** An upstream as it stands. */
export interface UpstreamReading {
  readonly inFlight: number;
  readonly queued: number;
  /** Absent where none is configured. */
  readonly breaker: BreakerState | undefined;
  readonly healthy: boolean | undefined;
}

export interface UpstreamMetrics {
  /** Has the counters of these upstreams exist, at 0 where nothing was counted. */
  configure(upstreams: readonly string[]): void;
  /**
   * Shows the upstream from now on. While two of one name stand side by side, as after a reload, their figures add up.
   *
   * @param read asked at a scrape
   */
  watch(upstream: string, read: () => UpstreamReading): WatchedUpstream;
}

interface WatchedUpstream {
  shed(reason: ShedReason): void;
  repeated(): void;
  /** It is closed: shown no more. What was counted stays. */
  end(): void;
}

/** Who reads an upstream, by its name; one that was ever watched stays, with nobody to read. */
type Watched = ReadonlyMap<string, ReadonlySet<() => UpstreamReading>>;

export function createUpstreamMetrics(registry: Registry): UpstreamMetrics {
  const watched = new Map<string, Set<() => UpstreamReading>>();
  showReadings(registry, watched);
  const shed = new Counter({
    name: "cutover_upstream_shed_total",
    help: "Requests not let through to an upstream: it had as many as it may, or its breaker was open.",
    labelNames: ["upstream", "reason"],
    registers: [registry],
  });
  const retries = new Counter({
    name: "cutover_upstream_retries_total",
    help: "Requests sent once more, on a new connection, because the kept one they went out on was dead: idempotent ones without a body.",
    labelNames: ["upstream"],
    registers: [registry],
  });
  const configure = (upstreams: readonly string[]) => {
    for (const upstream of upstreams) {
      for (const reason of shedReasons) shed.inc({ upstream, reason }, 0);
      retries.inc({ upstream }, 0);
    }
  };

  return {
    configure,
    watch(upstream, read) {
      const readers = watched.get(upstream) ?? new Set();
      watched.set(upstream, readers.add(read));
      configure([upstream]);
      return {
        shed: (reason) => shed.inc({ upstream, reason }),
        repeated: () => retries.inc({ upstream }),
        end: () => void readers.delete(read),
      };
    },
  };
}

/** What is watched here is set alone: what other processes hand over stands beside it. */
function showReadings(registry: Registry, watched: Watched): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: Figure) => {
    new Gauge({
      name,
      help,
      labelNames: ["upstream"],
      registers,
      collect() {
        for (const [upstream, readers] of watched) {
          const total = sum(readers, value);
          if (total === undefined) this.remove({ upstream });
          else this.set({ upstream }, total);
        }
      },
    });
  };
  gauge("cutover_upstream_inflight_requests", "Requests an upstream has now.", ({ inFlight }) => inFlight);
  gauge(
    "cutover_upstream_queued_requests",
    "Requests that wait until an upstream has fewer.",
    ({ queued }) => queued,
  );
  gauge(
    "cutover_upstream_healthy",
    "1 if the health checks find the upstream well, else 0; with workers, how many of them find it so.",
    ({ healthy }) => (healthy === undefined ? undefined : Number(healthy)),
  );
  new Gauge({
    name: "cutover_upstream_breaker_state",
    help: "1 for the state of the upstream's breaker, 0 for the others; with workers, how many of them have it so.",
    labelNames: ["upstream", "state"],
    registers,
    collect() {
      for (const [upstream, readers] of watched) {
        for (const state of breakerStates) {
          const total = sum(readers, ({ breaker }) => breaker && Number(breaker === state));
          if (total === undefined) this.remove({ upstream, state });
          else this.set({ upstream, state }, total);
        }
      }
    },
  });
}

type Figure = (reading: UpstreamReading) => number | undefined;

/** @returns `undefined` where none has the figure */
function sum(readers: ReadonlySet<() => UpstreamReading>, value: Figure): number | undefined {
  let total: number | undefined;
  for (const read of readers) {
    const one = value(read());
    if (one !== undefined) total = (total ?? 0) + one;
  }
  return total;
}
