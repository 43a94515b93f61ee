/**
 * The gate before an upstream: around any engine, and an Upstream itself.
 *
 * A request passes if the breaker lets it (breaker.ts) and it gets a slot (slots.ts). While it waits for one nothing of
 * its body is read; it leaves when it is aborted, and when the total time of its exchange is over. It has its slot until
 * its response ended, failed or was given up; a connection whose protocol was changed has none.
 *
 * What does not pass fails before a byte was sent:
 * - shed, because the upstream has as many as it may: outcome `rejected`. The proxy itself refuses; it says nothing of
 *   whether the upstream is well, and is not sent to another, which would be overloaded next;
 * - the breaker open: outcome `connect_failed`, as the request would have failed without a breaker. So a side that can
 *   not be connected to keeps its error rate, and what may fall back does.
 */

import type { Breaker, Connect, Pass } from "./breaker.ts";
import { codes } from "./failure.ts";
import type { ShedReason } from "./metrics.ts";
import type {
  Failure,
  Forwarding,
  ForwardRequest,
  ResponseHead,
  ResponseSink,
  Switched,
  UpgradeLimits,
  Upstream,
} from "./port.ts";
import type { Slots, Waiter } from "./slots.ts";

export interface GateOptions {
  readonly slots: Slots;
  readonly breaker: Breaker | undefined;
  readonly onShed: (reason: ShedReason) => void;
}

interface Gate extends GateOptions {
  readonly upstream: Upstream;
}

/** One request on its way: the engine's sink, and what waits for a slot. */
interface Passage extends ResponseSink, Waiter, Forwarding {
  readonly gate: Gate;
  readonly request: ForwardRequest;
  readonly sink: ResponseSink;
  /** waiting: for a slot. passing: has one. over: nothing follows. */
  stage: "waiting" | "passing" | "over";
  /** Of the breaker; absent without one, and once it was told of. */
  pass: Pass | undefined;
  forwarding: Forwarding | undefined;
}

/** @returns the upstream behind the gate; closing it waits for those who wait */
export function createGatedUpstream(upstream: Upstream, options: GateOptions): Upstream {
  const gate: Gate = { ...options, upstream };
  const { slots, breaker } = gate;
  return {
    name: upstream.name,
    forward(request, sink) {
      const passage = createPassage(gate, request, sink);
      if (breaker?.isShut) queueMicrotask(() => turnAway(passage, "breaker_open"));
      else {
        const place = slots.take(passage);
        if (place === "taken") passage.granted();
        else if (place === "full") queueMicrotask(() => turnAway(passage, "queue_full"));
      }
      return passage;
    },
    async close() {
      await slots.unqueued();
      await upstream.close();
    },
  };
}

function createPassage(gate: Gate, request: ForwardRequest, sink: ResponseSink): Passage {
  return {
    gate,
    request,
    sink,
    stage: "waiting",
    pass: undefined,
    forwarding: undefined,
    granted,
    expired,
    interim,
    head,
    data,
    end,
    switched,
    failure,
    resume,
    abort,
  };
}

function granted(this: Passage): void {
  const { breaker, upstream, slots } = this.gate;
  this.pass = breaker?.admit();
  if (breaker !== undefined && this.pass === undefined) {
    // It opened while this one waited. Those behind it meet the same one by one, and not each within the other's call.
    queueMicrotask(() => {
      slots.free();
      turnAway(this, "breaker_open");
    });
    return;
  }
  this.stage = "passing";
  this.forwarding = upstream.forward(this.request, this);
}

function expired(this: Passage): void {
  turnAway(this, "queue_timeout");
}

function interim(this: Passage, received: ResponseHead): void {
  tell(this, "made");
  this.sink.interim(received);
}

function head(this: Passage, received: ResponseHead): void {
  tell(this, "made");
  this.sink.head(received);
}

function data(this: Passage, chunk: Buffer): boolean {
  return this.sink.data(chunk);
}

function end(this: Passage, trailers: readonly string[]): void {
  leave(this, "made");
  this.sink.end(trailers);
}

function switched(this: Passage, received: ResponseHead, connection: Switched, limits: UpgradeLimits): void {
  leave(this, "made");
  if (this.sink.switched === undefined) connection.stream.destroy();
  else this.sink.switched(received, connection, limits);
}

function failure(this: Passage, failed: Failure): void {
  leave(this, connectOf(failed));
  this.sink.failure(failed);
}

function resume(this: Passage): void {
  this.forwarding?.resume();
}

function abort(this: Passage): void {
  if (this.stage === "waiting") {
    this.stage = "over";
    this.gate.slots.leave(this);
    return;
  }
  if (this.stage === "over") return;
  leave(this, "unknown");
  this.forwarding?.abort();
}

function leave(passage: Passage, connect: Connect): void {
  if (passage.stage !== "passing") return;
  passage.stage = "over";
  tell(passage, connect);
  passage.gate.slots.free();
}

function tell(passage: Passage, connect: Connect): void {
  if (passage.pass === undefined) return;
  passage.gate.breaker?.tell(passage.pass, connect);
  passage.pass = undefined;
}

function turnAway(passage: Passage, reason: ShedReason): void {
  // Given up by the caller meanwhile.
  if (passage.stage === "over") return;
  passage.stage = "over";
  const { breaker, onShed } = passage.gate;
  onShed(reason);
  passage.sink.failure(
    reason === "breaker_open"
      ? {
          outcome: "connect_failed",
          sent: false,
          code: codes.breakerOpen,
          retryAfterSeconds: Math.max(1, Math.ceil((breaker?.openForMs ?? 0) / 1000)),
        }
      : { outcome: "rejected", sent: false, code: codes.overloaded, retryAfterSeconds: 1 },
  );
}

function connectOf({ outcome, sent, code, stale }: Failure): Connect {
  // A kept connection that was dead was made long ago.
  if (stale) return "unknown";
  if (sent) return "made";
  return outcome === "connect_failed" && code !== codes.closed ? "failed" : "unknown";
}
