/**
 * One request from arrival to outcome.
 *
 *   head → refuse or route → facts (body held, owners asked: only where the route wants it) → decide
 *        → relay → settle
 *
 * Every exit passes through the one `settle` of its life (life.ts). The store is awaited for one thing only: who
 * holds the keys and the journey of the request, where it carries keys or its client keeps no cookies (holders.ts).
 * All else is answered from one immutable snapshot, read when deciding.
 */
import type { Readable } from "node:stream";
import { decide } from "../decide/decide.ts";
import type { PinFault } from "../decide/pin.ts";
import { fieldValue, type RequestView } from "../decide/sources.ts";
import type { Journeys, Orders } from "../ownership/port.ts";
import { initialState } from "../state/model.ts";
import type { Following } from "../state/snapshot.ts";
import type { UpgradeCounts } from "../telemetry/upgrades.ts";
import { type Arrival, readArrival } from "./arrival.ts";
import { type BodyLimits, boundedBody, watchBody } from "./body-limits.ts";
import { bucketFor, forcedIn, ownerKeysIn, shopperIn } from "./facts.ts";
import { codes } from "./forward/failure.ts";
import type { Failure, Forwarding, ResponseSink } from "./forward/port.ts";
import { type Held, holdBody } from "./held-body.ts";
import { jsonOf } from "./held-json.ts";
import { type Decided, type HoldersContext, type Meeting, type Met, meetHolders } from "./holders.ts";
import type { Inbound } from "./inbound.ts";
import { journeyFields, pinOf } from "./journey.ts";
import { learning, learns } from "./learn.ts";
import { beginLife, type LifeContext } from "./life.ts";
import { type Refusal, refusalOf, refusals } from "./refusal.ts";
import { decisionField, forwardRequest, type RelayContext, relay } from "./relay.ts";
import type { CompiledRoute, Destination } from "./table.ts";

export interface ExchangeContext extends RelayContext, HoldersContext, Omit<LifeContext, "noneRow"> {
  readonly following: Following;
  readonly bodyLimits: BodyLimits;
  /** Hears of each answer that begins, continues or ends a journey. */
  readonly journeys?: Journeys | undefined;
  /** Hears of each order that is finished. */
  readonly orders?: Orders | undefined;
  /** A journey cookie was tampered with, is foreign or expired. */
  readonly onIgnoredPin: (cutover: string, fault: PinFault) => void;
  /** Name of a response field that tells how the request was decided; for tests and debugging. */
  readonly decisionHeader: string | undefined;
  /** A body that may hold a key could not be read for it. */
  readonly onUnreadBody: (cutover: string) => void;
  /** A key is too long to count. */
  readonly onLongKey: (cutover: string) => void;
  /** Counts connections whose protocol was changed. */
  readonly upgrades: UpgradeCounts;
  /** Hears of a fault of the proxy's own. */
  readonly onFault: (error: unknown) => void;
}

export type Exchange = (inbound: Inbound) => void;

export function createExchange(context: ExchangeContext): Exchange {
  const { table, following, fieldNames, ids, clock, decisionHeader, bodyLimits } = context;
  const lifeContext: LifeContext = { ...context, noneRow: table.noneRow };
  const journeyContext = { ...context, newId: ids.journeyId };
  const nowSeconds = () => Math.floor(clock.now() / 1000);

  return function exchange(inbound: Inbound): void {
    const { head, answer } = inbound;
    const { framing } = head;
    const names = fieldNames.of(head.fields);
    const requestId = ids.requestId(fieldValue(head.fields, names, "x-request-id"));
    const life = beginLife(lifeContext, inbound, requestId);
    let forwarding: Forwarding | undefined;
    /** Whether the answer is read to its end although nobody waits for it, because it may name an order. */
    let lingers = false;
    answer.onGone((why) => {
      if (life.isSettled()) return;
      if (!lingers || why === "malformed") forwarding?.abort();
      if (why === "malformed") life.refuse(refusals.malformed);
      else life.settle("client_aborted");
    });

    const arrival = readArrival(table, head, names, context.proxyName);
    if ("proxyError" in arrival) {
      life.refuse(arrival);
      return;
    }
    const route = arrival.match?.value;
    if (route !== undefined) life.routed(route);
    if (framing.kind === "sized" && framing.length > bodyLimits.maxBytes) {
      life.refuse(refusals.bodyTooLarge);
      return;
    }
    const body =
      framing.kind === "chunked"
        ? boundedBody(inbound.body, bodyLimits.maxBytes, () => giveUp(refusals.bodyTooLarge))
        : inbound.body;
    if (framing.kind !== "none") {
      const watch = watchBody(inbound.body, {
        paceMs: bodyLimits.paceMs,
        isLost: inbound.isLost,
        onSlow: () => giveUp(refusals.requestTimeout),
        onLost() {
          forwarding?.abort();
          answer.abort();
          life.settle("client_aborted");
        },
      });
      life.onSettled(watch);
    }
    if (route === undefined) send(arrival, table.fallthrough, body, undefined);
    else if (route.holdsBody && framing.kind !== "none") hold(arrival, route);
    else gather(arrival, route, undefined);

    function hold(arrival: Arrival, route: CompiledRoute): void {
      const declared = framing.kind === "sized" ? framing.length : undefined;
      limit(route.cutover.destinations.legacy.totalMs);
      holdBody(body, declared)
        .then(
          (held) => gather(arrival, route, held),
          () => life.settle("client_aborted"),
        )
        .catch(fail);
    }

    /** Reads the facts out of the request, asks for owners and pins where there may be any, and decides. */
    function gather(arrival: Arrival, route: CompiledRoute, held: Held | undefined): void {
      const { cutover } = route;
      const json =
        held?.kind === "whole"
          ? jsonOf(held.content, fieldValue(head.fields, names, "content-encoding"))
          : undefined;
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
      const shopper = shopperIn(cutover, view);
      const bucket = bucketFor(cutover, shopper);
      const keys = ownerKeysIn(cutover, view, context.onLongKey);
      const content = held?.content ?? body;
      // Who sends no cookie at all keeps none either.
      const keepsNone = cutover.journey !== undefined && pin === undefined && !names.includes("cookie");
      const cookieless = keepsNone ? shopper : undefined;
      const inForce = () => following.current().states.get(cutover.name) ?? initialState();
      const judge: Meeting["judge"] = (owner, stored) => {
        const state = inForce();
        const journey = pin ?? stored;
        const stale = cutover.staleAfterMs !== undefined && following.isStale(cutover.staleAfterMs);
        const decision = decide(state, { owner, journey, forced, bucket, stale });
        return { route, decision, state, pin: journey, keys, cookieless };
      };
      if (keys.length === 0 && cookieless === undefined) {
        go(arrival, judge(undefined, undefined), content);
        return;
      }
      const met = meetHolders(context, {
        route,
        keys,
        cookieless,
        state: inForce(),
        newId: ids.journeyId,
        judge,
      });
      const follow = (found: Met) => {
        if (found === "unknown") life.refuse(refusals.ownerUnknown);
        else go(arrival, found, content);
      };
      if (typeof met === "object" && "then" in met) met.then(follow).catch(fail);
      else follow(met);
    }

    function go(arrival: Arrival, decided: Decided, content: Buffer | Readable): void {
      if (life.isSettled()) return;
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
      // A body that is still under way breaks off with the client.
      const isWhole = Buffer.isBuffer(content) || head.framing.kind === "none";
      lingers = decided !== undefined && isWhole && learns(decided.route.cutover, head.method);
      const request = forwardRequest(context, arrival, requestId, content);
      forwarding = relay(
        context,
        upstream,
        request,
        arrival,
        answer,
        {
          answered(status) {
            // Nobody is there any more to be given anything.
            if (life.isSettled()) return [];
            life.status = status;
            return decided === undefined ? [] : addedFields(decided, status);
          },
          ended: () => life.settle((life.status ?? 0) >= 500 ? "server_error" : "ok"),
          switched() {
            // The exchange is over with the 101; what follows is no request, and its length no latency.
            life.settle("ok");
            return context.upgrades.opened(route?.cutover.name ?? "none", decided?.decision.side ?? "none");
          },
          misbehaved() {
            forwarding?.abort();
            life.refuse(refusals.protocol_error);
          },
          failed(failure) {
            if (life.isSettled()) return;
            if (decided !== undefined && mayFallBack(decided, failure, content)) {
              life.attemptFailed(failure.outcome);
              go(arrival, { ...decided, decision: { side: "legacy", reason: "fallback" } }, content);
            } else if (failure.code === codes.requestBody) {
              // What came is no whole request: its client has left, or is out of step.
              answer.abort();
              life.settle("client_aborted");
            } else life.refuse(refusalOf(failure));
          },
        },
        decided === undefined ? undefined : learnerFor(decided),
      );
    }

    function addedFields(decided: Decided, status: number): string[] {
      const { route, decision, state } = decided;
      const added = journeyFields(journeyContext, decided, status, nowSeconds(), head.peer.encrypted);
      if (route.finishes && status >= 200 && status < 300) {
        for (const { key, claimed } of decided.keys) {
          if (!claimed) context.orders?.finished(route.cutover.name, key);
        }
      }
      if (decisionHeader !== undefined) {
        added.push(decisionHeader, decisionField(route.cutover.name, decision, state.version));
      }
      return added;
    }

    function learnerFor({
      route,
      decision,
      keys,
    }: Decided): ((sink: ResponseSink) => ResponseSink) | undefined {
      if (!learns(route.cutover, head.method)) return undefined;
      return (sink) =>
        learning(context, route.cutover, decision.side, keys, sink, () => forwarding?.resume());
    }

    function limit(totalMs: number): void {
      life.limit(totalMs, () => {
        forwarding?.abort();
        life.refuse(forwarding === undefined ? refusals.requestTimeout : refusals.timeout);
      });
    }

    function giveUp(refusal: Refusal): void {
      if (life.isSettled()) return;
      forwarding?.abort();
      life.refuse(refusal);
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
  const { decision, route, pin, keys, begun } = decided;
  if (failure.outcome !== "connect_failed" || failure.sent || decision.side !== "new") return false;
  if (
    !route.cutover.fallback ||
    keys.length > 0 ||
    pin !== undefined ||
    begun !== undefined ||
    decision.reason === "closed"
  )
    return false;
  return Buffer.isBuffer(content) || !(content.readableDidRead || content.destroyed);
}
