/** An upstream of the configuration: its engine, the gate before it, and the checks of its health. */

import type { Clock, Timers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Config, UpstreamConfig } from "../../config/schema.ts";
import { createGatedUpstream } from "./admission.ts";
import { createBreaker } from "./breaker.ts";
import { startHealthCheck } from "./health.ts";
import type { UpstreamMetrics } from "./metrics.ts";
import { openUpstream } from "./open.ts";
import type { Upstream } from "./port.ts";
import { createSlots } from "./slots.ts";

export interface UpstreamSurroundings {
  readonly metrics: UpstreamMetrics;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Timers;
  readonly log: Log;
}

/** @throws Error when a certificate, a key or an authority can not be read */
export function openGatedUpstream(
  engine: Config["engine"],
  name: string,
  declared: UpstreamConfig,
  { metrics, clock, timers, log }: UpstreamSurroundings,
): Upstream {
  const { concurrency, health: checks } = declared;
  const slots = createSlots({
    max: concurrency.max,
    queue: concurrency.queue,
    waitMs: concurrency.wait,
  });
  const breaker =
    declared.breaker &&
    createBreaker({
      failures: declared.breaker.failures,
      openMs: declared.breaker.open,
      probes: declared.breaker.probes,
      clock,
      onChange(to, from) {
        log.warn({ upstream: name, from, to }, "the breaker changed its state");
      },
    });
  const upstream = openUpstream(engine, name, declared);
  const health =
    checks &&
    startHealthCheck({
      engine: openUpstream(engine, name, forChecks(declared, checks.timeout)),
      host: new URL(declared.url).host,
      path: checks.path,
      intervalMs: checks.interval,
      timeoutMs: checks.timeout,
      timers,
      onChange(isWell) {
        log.warn({ upstream: name }, isWell ? "the upstream is well again" : "the upstream is unwell");
        if (isWell) breaker?.foundWell();
        else breaker?.foundUnwell();
      },
    });
  const watched = metrics.watch(name, () => ({
    inFlight: slots.taken,
    queued: slots.queued,
    breaker: breaker?.state,
    healthy: health?.isWell,
  }));
  const gated = createGatedUpstream(upstream, { slots, breaker, onShed: watched.shed });
  return {
    name,
    forward: gated.forward,
    async close() {
      await Promise.all([health?.close(), gated.close()]);
      watched.end();
    },
  };
}

/** One connection of its own, and no wait longer than a check's. */
function forChecks(declared: UpstreamConfig, timeoutMs: number): UpstreamConfig {
  const timeouts = { ...declared.timeouts, connect: timeoutMs, headers: timeoutMs, idle: timeoutMs };
  return { ...declared, connections: 1, timeouts };
}
