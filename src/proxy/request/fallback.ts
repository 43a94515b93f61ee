/** A request that was for new and goes to legacy, because new could not be connected to. */
import type { JourneyPin } from "../../decide/pin.ts";
import { maintainedUntil } from "../../state/rules/sides/maintenance.ts";
import { type Refusal, refusalOf } from "../refusal.ts";
import type { CompiledRoute } from "../routes.ts";
import { isOver, type Recorded, recordFallback } from "../settle.ts";
import { failureCode } from "../upstream/failure.ts";
import type { Failure } from "../upstream/port.ts";
import type { Decided, NamedShopper } from "../witness.ts";

/**
 * Whether it may: only where nothing was sent, nothing is owned or pinned, legacy is not maintained, and the body is still there to be sent. What a
 * start has reserved for itself is no pin yet.
 */
export function mayFallBack(
  { content, context }: Recorded,
  { cutover }: CompiledRoute,
  { decision, state, pin, keys }: Decided,
  failure: Failure,
): boolean {
  if (failure.outcome !== "connect_failed" || failure.sent || decision.side !== "new") return false;
  if (!cutover.fallback || keys.length > 0 || pin !== undefined) return false;
  if (decision.reason === "closed") return false;
  if (maintainedUntil(state.maintenance, "legacy", context.clock.now()) !== undefined) return false;
  return Buffer.isBuffer(content) || !(content.readableDidRead || content.destroyed);
}

/**
 * A start first gives back what it has reserved on new and reserves legacy instead. It may not where another start of the shopper's
 * is on its way to new: the two must not part.
 */
export function fallenBack(
  exchange: Recorded,
  route: CompiledRoute,
  by: Decided,
  failure: Failure,
): Decided | Promise<Decided | Refusal> {
  const counted = (begun: string | undefined): Decided => {
    if (!isOver(exchange)) recordFallback(exchange, failure.outcome, failureCode(failure));
    return { ...by, begun, decision: { side: "legacy", reason: "fallback" } };
  };
  const { shopper, begun } = by;
  if (shopper === undefined || begun === undefined) return counted(undefined);
  // From here on it is given back here.
  exchange.giveBack = undefined;
  return reservedAgain(exchange, route, by, shopper, begun).then((now) =>
    now.side === "legacy" ? counted(now.begun) : refusalOf(failure),
  );
}

async function reservedAgain(
  { context: { pins, ids, clock } }: Recorded,
  { cutover: { name, journey } }: CompiledRoute,
  { state }: Decided,
  shopper: NamedShopper,
  begun: string,
): Promise<Pick<JourneyPin, "side"> & { readonly begun: string | undefined }> {
  await pins.release(name, shopper.name, begun);
  if (journey === undefined) return { side: "legacy", begun: undefined };
  const { maxTtl, reserve: reserveTtl } = journey.life;
  const startedAt = Math.floor(clock.now() / 1000);
  const id = ids.journeyId();
  const times = { startedAt, expiresAt: startedAt + maxTtl };
  const offer: JourneyPin = { id, side: "legacy", epoch: state.pinEpoch, ...times };
  const pin = await pins.reserve(name, shopper.name, offer, maxTtl, reserveTtl);
  const own = pin.id === id || pin.reserved !== undefined ? pin.id : undefined;
  if (pin.side === "legacy") return { side: "legacy", begun: own };
  if (own !== undefined) void pins.release(name, shopper.name, own);
  return { side: "new", begun: undefined };
}
