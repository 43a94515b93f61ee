/**
 * One request from arrival to outcome.
 *
 *   head → refuse or route → facts (body held, owners asked: only where the route wants it) → decide
 *        → relay → settle
 *
 * Every exit passes through the one `settle` of its life (life.ts). The store is awaited for one thing only, the
 * owners of keys the request carries; all else is answered from one immutable snapshot, read when deciding.
 */
import type { Readable } from "node:stream";
import { type Decision, decide } from "../decide/decide.ts";
import { readJson } from "../decide/json.ts";
import type { PinFault } from "../decide/pin.ts";
import { fieldValue, type RequestView } from "../decide/sources.ts";
import type { Found, Journeys, Ownership } from "../ownership/port.ts";
import { type CutoverState, initialState, type Side } from "../state/model.ts";
import type { Following } from "../state/snapshot.ts";
import { type Arrival, readArrival } from "./arrival.ts";
import { bucketIn, forcedIn, ownerKeysIn } from "./facts.ts";
import type { Failure, Forwarding, ResponseSink } from "./forward/port.ts";
import { type Held, holdBody } from "./held-body.ts";
import type { Inbound } from "./inbound.ts";
import { nextStep, pinOf, setCookie } from "./journey.ts";
import { learning, learns } from "./learn.ts";
import { beginLife, type LifeContext } from "./life.ts";
import { refusals } from "./refusal.ts";
import { decisionField, forwardRequest, type RelayContext, relay } from "./relay.ts";
import type { CompiledRoute, Destination } from "./table.ts";

export interface ExchangeContext extends RelayContext, Omit<LifeContext, "noneRow"> {
  readonly following: Following;
  readonly ownership: Ownership;
  /** Hears of each answer that begins, continues or ends a journey. */
  readonly journeys?: Journeys | undefined;
  /** A journey cookie was tampered with, is foreign or expired. */
  readonly onIgnoredPin: (cutover: string, fault: PinFault) => void;
  /** Name of a response field that tells how the request was decided; for tests and debugging. */
  readonly decisionHeader: string | undefined;
  /** A body that may hold a key could not be read for it. */
  readonly onUnreadBody: (cutover: string) => void;
  /** Hears of a fault of the proxy's own. */
  readonly onFault: (error: unknown) => void;
}

export type Exchange = (inbound: Inbound) => void;

/** What a request of a cutover was decided by. */
interface Decided {
  readonly route: CompiledRoute;
  readonly decision: Decision;
  readonly state: CutoverState;
  readonly pin: ReturnType<typeof pinOf>;
  /** Whether the request carries a key that has or may have an owner: it never changes sides again. */
  readonly keyed: boolean;
}

export function createExchange(context: ExchangeContext): Exchange {
  const { table, following, ownership, fieldNames, ids, clock, decisionHeader } = context;
  const lifeContext: LifeContext = { ...context, noneRow: table.noneRow };
  const nowSeconds = () => Math.floor(clock.now() / 1000);

  return function exchange(inbound: Inbound): void {
    const { head, answer, body } = inbound;
    const names = fieldNames.of(head.fields);
    const requestId = ids.requestId(fieldValue(head.fields, names, "x-request-id"));
    const life = beginLife(lifeContext, inbound, requestId);
    let forwarding: Forwarding | undefined;
    answer.onGone(() => {
      if (life.settled) return;
      forwarding?.abort();
      life.settle("client_aborted");
    });

    const arrival = readArrival(table, head, names, context.proxyName);
    if ("proxyError" in arrival) {
      life.refuse(arrival);
      return;
    }
    const route = arrival.match?.value;
    if (route === undefined) send(arrival, table.fallthrough, body, undefined);
    else {
      life.routed(route);
      if (route.holdsBody && head.framing.kind !== "none") hold(arrival, route);
      else gather(arrival, route, undefined);
    }

    function hold(arrival: Arrival, route: CompiledRoute): void {
      const declared = head.framing.kind === "sized" ? head.framing.length : undefined;
      limit(route.cutover.destinations.legacy.totalMs);
      holdBody(body, declared)
        .then(
          (held) => gather(arrival, route, held),
          () => life.settle("client_aborted"),
        )
        .catch(fail);
    }

    /** Reads the facts out of the request, asks for owners where it carries keys, and decides. */
    function gather(arrival: Arrival, route: CompiledRoute, held: Held | undefined): void {
      const { cutover } = route;
      const json = held?.kind === "whole" ? readJson(held.content) : undefined;
      if (held !== undefined && json === undefined) context.onUnreadBody(cutover.name);
      const view: RequestView = {
        fields: head.fields,
        fieldNames: names,
        query: arrival.target.query,
        paramNames: arrival.match?.names ?? [],
        paramValues: arrival.match?.values ?? [],
        json,
      };
      const pin = pinOf(cutover, view, nowSeconds(), context.onIgnoredPin);
      const forced = forcedIn(cutover, view);
      const bucket = bucketIn(cutover, view);
      const keys = ownerKeysIn(cutover, view);
      const content = held?.content ?? body;
      const judge = (owner: Side | undefined): Decided => {
        const state = following.current().states.get(cutover.name) ?? initialState();
        const stale = cutover.staleAfterMs !== undefined && following.isStale(cutover.staleAfterMs);
        const decision = decide(state, { owner, journey: pin, forced, bucket, stale });
        return { route, decision, state, pin, keyed: keys.length > 0 };
      };
      if (keys.length === 0) {
        go(arrival, judge(undefined), content);
        return;
      }
      const own = (found: Found): void => {
        const decided = judge(found.owner);
        if (found.claimable.length === 0) {
          go(arrival, decided, content);
          return;
        }
        const { side } = decided.decision;
        ownership
          .claim(cutover.name, found.claimable, side)
          .then((holder) =>
            go(arrival, found.owner === undefined && holder !== side ? judge(holder) : decided, content),
          )
          .catch(fail);
      };
      const found = ownership.find(cutover.name, keys);
      if ("then" in found) found.then(own).catch(fail);
      else own(found);
    }

    function go(arrival: Arrival, decided: Decided, content: Buffer | Readable): void {
      if (life.settled) return;
      const { decision, route } = decided;
      life.decided(decision.side, decision.reason);
      send(arrival, route.cutover.destinations[decision.side], content, decided);
    }

    function send(
      arrival: Arrival,
      { upstream, totalMs }: Destination,
      content: Buffer | Readable,
      decided: Decided | undefined,
    ): void {
      life.began();
      limit(totalMs);
      const request = forwardRequest(context, arrival, requestId, content);
      forwarding = relay(
        context,
        upstream,
        request,
        arrival,
        answer,
        {
          answered(status) {
            life.status = status;
            return decided === undefined ? [] : addedFields(decided, status);
          },
          ended: () => life.settle((life.status ?? 0) >= 500 ? "server_error" : "ok"),
          misbehaved() {
            forwarding?.abort();
            life.refuse(refusals.protocol_error);
          },
          failed(failure) {
            if (decided !== undefined && mayFallBack(decided, failure, content)) {
              life.attemptFailed(failure.outcome);
              go(arrival, { ...decided, decision: { side: "legacy", reason: "fallback" } }, content);
            } else life.refuse(refusals[failure.outcome]);
          },
        },
        decided === undefined ? undefined : learnerFor(decided),
      );
    }

    function addedFields({ route, decision, state, pin }: Decided, status: number): string[] {
      const added: string[] = [];
      const now = nowSeconds();
      const step = nextStep(
        { route, pin, side: decision.side, pinEpoch: state.pinEpoch, status, nowSeconds: now },
        ids.journeyId,
      );
      if (step !== undefined) {
        context.journeys?.seen(route.cutover.name, step.pin, step.event);
        const cookie = step.changed && setCookie(route.cutover, step.pin, now, head.peer.encrypted);
        if (cookie) added.push("Set-Cookie", cookie);
      }
      if (decisionHeader !== undefined) {
        added.push(decisionHeader, decisionField(route.cutover.name, decision, state.version));
      }
      return added;
    }

    function learnerFor({ route, decision }: Decided): ((sink: ResponseSink) => ResponseSink) | undefined {
      if (!learns(route.cutover, head.method)) return undefined;
      return (sink) => learning(context, route.cutover, decision.side, sink, () => forwarding?.resume());
    }

    function limit(totalMs: number): void {
      life.limit(totalMs, () => {
        forwarding?.abort();
        life.refuse(forwarding === undefined ? refusals.requestTimeout : refusals.timeout);
      });
    }

    /** A fault of ours ends this exchange, not the process. */
    function fail(error: unknown): void {
      context.onFault(error);
      forwarding?.abort();
      life.refuse(refusals.internal);
    }
  };
}

/** Only where nothing was sent, nothing is owned or pinned, and the body is still there to be sent. */
function mayFallBack(decided: Decided, failure: Failure, content: Buffer | Readable): boolean {
  const { decision, route, pin, keyed } = decided;
  if (failure.outcome !== "connect_failed" || failure.sent || decision.side !== "new") return false;
  if (!route.cutover.fallback || keyed || pin !== undefined || decision.reason === "closed") return false;
  return Buffer.isBuffer(content) || !(content.readableDidRead || content.destroyed);
}
