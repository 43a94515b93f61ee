/**
 * Static files that one side has and the other has not: a page that one side made names styles and chunks which the next
 * request may ask of the other. A 404 of the side decided for is asked of the other one, by GET or HEAD, without what
 * tells who asks; what that has is the answer, without its cookies, and what it has not stays the 404.
 *
 * The 404 is kept back meanwhile, its body no further read than it has come. Whatever the other side answers, and how long
 * that takes, counts for no side.
 */
import type { Deadlines, Waiting } from "../../base/waiting/deadlines.ts";
import type { Side } from "../../state/rules/model.ts";
import { maintainedUntil } from "../../state/rules/sides/maintenance.ts";
import type { Destination } from "../destinations.ts";
import type { Arrival } from "../request/arrival.ts";
import type { CompiledRoute } from "../routes.ts";
import { type Recorded, recordAsking, recordElsewhere } from "../settle.ts";
import type { Forwarding, ForwardRequest, ResponseHead, ResponseSink } from "../upstream/port.ts";
import type { Decided } from "../witness.ts";
import { forwardRequest } from "./forward-request.ts";
import { type RelayEvents, relay, type Tap } from "./relay.ts";
import { rewriteExchange, type WayBack } from "./rewrite/rewrite.ts";

/** What becomes of an answer goes by where it comes from. */
interface Rewritten {
  wayBack: WayBack | undefined;
}

/** Relays an exchange whose side is known, or that has none; where it is a file, the other side may be asked too. */
export function relayOrElse(
  exchange: Recorded & RelayEvents & Rewritten,
  arrival: Arrival,
  route: CompiledRoute | undefined,
  destination: Destination,
  request: ForwardRequest,
  taps: readonly Tap[],
): Forwarding {
  const side = route?.orElse === undefined ? undefined : sideToAsk(exchange, arrival);
  // No closure is made for what asks nobody else: nearly all of it.
  if (side === undefined || route?.orElse === undefined)
    return relay(exchange.context, destination, request, exchange.inbound, exchange, taps);
  return relayAsking(exchange, arrival, destination, request, taps, {
    side,
    other: route.destinations[side],
    deadlines: route.orElse,
  });
}

/** @returns the other side than the one decided for, where it may be asked */
function sideToAsk({ context, decided }: Recorded, arrival: Arrival): Side | undefined {
  if (decided === undefined || !isOfFile(arrival)) return undefined;
  const side = decided.decision.side === "new" ? "legacy" : "new";
  return mayBeAsked(side, decided, context.clock.now()) ? side : undefined;
}

interface OtherSide {
  readonly side: Side;
  readonly other: Destination;
  readonly deadlines: Deadlines;
}

function relayAsking(
  exchange: Recorded & RelayEvents & Rewritten,
  arrival: Arrival,
  destination: Destination,
  request: ForwardRequest,
  taps: readonly Tap[],
  { side, other, deadlines }: OtherSide,
): Forwarding {
  const { context, inbound } = exchange;
  const asking = createAsking(exchange, side, deadlines, (capture) => {
    const { request: own, wayBack } = requestFor(exchange, side, other, arrival);
    const second = relay(context, other, own, inbound, { ...unheard, wayBack }, [capture]);
    // In place of the second's own: it may be the first that goes on.
    inbound.answer.onDrain(both.resume);
    return { second, wayBack };
  });
  const first = relay(context, destination, request, inbound, exchange, [asking.tap, ...taps]);
  const both: Forwarding = {
    resume() {
      first.resume();
      asking.second?.resume();
    },
    abort() {
      asking.end();
      first.abort();
    },
  };
  return both;
}

/** An answer that a tap keeps for itself is told to nobody. */
const unheard: RelayEvents = {
  answered: () => [],
  ended: () => undefined,
  switched: () => () => undefined,
  misbehaved: () => undefined,
  failed: () => undefined,
};

/** What the other side is asked, by its own rewriting and without what tells who asks. */
function requestFor(
  { context, requestId, traceparent, decided }: Recorded,
  side: Side,
  { rewriting, ...destination }: Destination,
  arrival: Arrival,
): { readonly request: ForwardRequest } & Rewritten {
  const named = { requestId, traceparent };
  const plain = forwardRequest(context, arrival, destination, named, Buffer.alloc(0), false);
  const asked: Parameters<typeof rewriteExchange>[1] = {
    context,
    requestId,
    decided,
    side,
    wayBack: undefined,
  };
  const request = withoutClient(plain);
  rewriteExchange(rewriting, asked, arrival, request);
  return { request, wayBack: asked.wayBack };
}

function isOfFile({ head: { method, upgrade, framing } }: Arrival): boolean {
  return (method === "GET" || method === "HEAD") && upgrade === undefined && framing.kind === "none";
}

/** Never legacy once it is closed, nor a side in maintenance: nothing may be sent there. */
function mayBeAsked(side: Side, { state: { state, maintenance } }: Decided, nowMs: number): boolean {
  if (side === "legacy" && state === "closed") return false;
  return maintainedUntil(maintenance, side, nowMs) === undefined;
}

const ofClient: ReadonlySet<string> = new Set(["cookie", "authorization", "proxy-authorization"]);

function withoutClient(request: ForwardRequest): ForwardRequest {
  return { ...request, fields: withoutFields(request.fields, ofClient), body: { kind: "none" } };
}

function withoutFields(fields: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const [name = "", value = ""] = [fields[i], fields[i + 1]];
    if (!names.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

const cookies: ReadonlySet<string> = new Set(["set-cookie"]);

/** The 404 while the other side is asked. */
interface Kept {
  readonly head: ResponseHead;
  readonly chunks: Buffer[];
  /** Its end, where that has come too. */
  over: ((next: ResponseSink) => void) | undefined;
}

interface Asking {
  readonly tap: Tap;
  readonly second: Forwarding | undefined;
  /** Nobody waits for an answer any more. */
  end(): void;
}

/** @param ask sends the request to the other side, and has the answer taken by the tap that it is given */
function createAsking(
  exchange: Recorded & Rewritten,
  side: Side,
  deadlines: Deadlines,
  ask: (capture: Tap) => { readonly second: Forwarding } & Rewritten,
): Asking {
  /** first: the answer is the side's own, as far as is known. over: nobody waits. */
  let stage: "first" | "asked" | "found" | "over" = "first";
  let asked: ReturnType<typeof ask> | undefined;
  let kept: Kept | undefined;
  let release: (from: Kept) => void = () => undefined;
  const waiting: Waiting = { dueAt: 0, before: undefined, behind: undefined, expired: missed };

  function missed(): void {
    if (stage !== "asked" || kept === undefined) return;
    stage = "first";
    deadlines.end(waiting);
    asked?.second.abort();
    recordElsewhere(exchange, side, false);
    release(kept);
  }

  /** What the other side answers. */
  const capturing = (next: ResponseSink, drop: () => void): ResponseSink => ({
    interim: () => undefined,
    head(head) {
      if (stage !== "asked") return;
      if (!isThere(head.status)) {
        missed();
        return;
      }
      stage = "found";
      deadlines.end(waiting);
      recordElsewhere(exchange, side, true);
      exchange.wayBack = asked?.wayBack;
      drop();
      next.head({ ...head, fields: withoutFields(head.fields, cookies) });
    },
    data: (chunk) => (stage === "found" ? next.data(chunk) : true),
    end(trailers) {
      if (stage === "found") next.end(trailers);
    },
    failure(failure) {
      if (stage === "found") next.failure(failure);
      else missed();
    },
  });

  const tap: Tap = (next, resume) => {
    // The other side's engine calls this, and no two of its connections may be read within one another.
    const goOn = () => queueMicrotask(resume);
    release = (from) => passOn(from, next, goOn);
    // Its rest is read and let go, so that its connection is kept.
    const drop = () => {
      const isWhole = kept?.over !== undefined;
      kept = undefined;
      if (!isWhole) goOn();
    };
    return {
      interim: (head) => next.interim(head),
      head(head) {
        if (head.status !== 404) {
          next.head(head);
          return;
        }
        stage = "asked";
        kept = { head, chunks: [], over: undefined };
        recordAsking(exchange);
        deadlines.wait(waiting);
        asked = ask(() => capturing(next, drop));
      },
      data(chunk) {
        if (stage === "first") return next.data(chunk);
        kept?.chunks.push(chunk);
        return stage !== "asked";
      },
      end(trailers) {
        if (stage === "first") next.end(trailers);
        else if (kept !== undefined) kept.over = (to) => to.end(trailers);
      },
      failure(failure) {
        if (stage === "first") next.failure(failure);
        else if (kept !== undefined) kept.over = (to) => to.failure(failure);
      },
    };
  };

  return {
    tap,
    get second() {
      return asked?.second;
    },
    end() {
      stage = "over";
      kept = undefined;
      deadlines.end(waiting);
      asked?.second.abort();
    },
  };
}

/** The 404 is the answer after all. */
function passOn({ head, chunks, over }: Kept, next: ResponseSink, resume: () => void): void {
  next.head(head);
  let wantsMore = true;
  for (const chunk of chunks) wantsMore = next.data(chunk);
  if (over !== undefined) over(next);
  else if (wantsMore) resume();
}

/** Whether the other side has it: it is there, or as the client has it. */
function isThere(status: number): boolean {
  return (status >= 200 && status < 300) || status === 304;
}
