/**
 * What a request tells of the cutovers that its own goes after: by their rules, by their cookies, which come along with it,
 * and by the journeys that the store has of its shopper. Whom they have on legacy goes to legacy here.
 */
import type { ShopperVisit } from "../../decide/browsing/visit.ts";
import { cookieValues } from "../../decide/cookie.ts";
import { type Ahead, type Cohort, decide } from "../../decide/decide.ts";
import type { JourneyPin } from "../../decide/pin.ts";
import type { RequestView } from "../../decide/sources.ts";
import type { Following, Snapshot } from "../../state/follow/snapshot.ts";
import { initialState, type Side } from "../../state/rules/model.ts";
import type { ExchangeContext } from "../context.ts";
import { secondsNow } from "../request/cookies/own-cookie.ts";
import { visitIn } from "../request/cookies/visit.ts";
import type { CompiledCutover } from "../routes.ts";
import type { Recorded } from "../settle.ts";
import type { NamedShopper } from "../witness.ts";
import { cohortOf, type Whose } from "./cohorts.ts";

/** What a request tells of a cutover that its own goes after. */
export interface LeaderTold {
  readonly cutover: CompiledCutover;
  readonly cohort: Cohort | undefined;
  /** Of a journey that goes on, by its cookie. */
  readonly pin: JourneyPin | undefined;
  /** Under way. */
  readonly visit: ShopperVisit | undefined;
  /** Whether more than its cap is unpaid on new there. */
  readonly isOverCap: boolean;
}

/** @returns them, the nearest first */
export function leadersTold(exchange: Recorded, names: readonly string[], whose: Whose): LeaderTold[] {
  const { context } = exchange;
  return names.flatMap((name) => {
    const cutover = context.table.cutovers.get(name);
    if (cutover === undefined) return [];
    return {
      cutover,
      cohort: cohortOf(cutover.cohorts, context, whose),
      pin: pinUnderWay(exchange, cutover, whose.view),
      visit: visitIn(exchange, cutover, whose.view),
      isOverCap: cutover.exposure !== undefined && context.exposure.isOver(name),
    };
  });
}

/** A journey that has ended says nothing of what begins. */
function pinUnderWay(
  exchange: Recorded,
  { journey }: CompiledCutover,
  { fields, fieldNames }: RequestView,
): JourneyPin | undefined {
  if (journey === undefined) return undefined;
  for (const text of cookieValues(fields, fieldNames, journey.cookie.name)) {
    const reading = journey.pins.read(text, secondsNow(exchange));
    if (reading.valid && !reading.pin.ended) return reading.pin;
  }
  return undefined;
}

/** @returns them with the journeys in the store of a shopper who shows none; at once where that need not be asked */
export function withStoredJourneys(
  { pins }: Pick<ExchangeContext, "pins">,
  told: readonly LeaderTold[],
  { name: shopper, keepsNone }: NamedShopper,
): readonly LeaderTold[] | Promise<readonly LeaderTold[]> {
  const found = told.map(({ cutover: { name, journey }, pin }) => {
    if (pin !== undefined || journey === undefined) return pin;
    return pins.find(name, shopper, journey.life.maxTtl, { keepsNone, differs: () => true });
  });
  const withPins = (stored: readonly (JourneyPin | undefined)[]) =>
    told.map((each, i) => ({ ...each, pin: stored[i]?.ended ? undefined : stored[i] }));
  const isAsked = (one: (typeof found)[number]) => one !== undefined && "then" in one;
  return found.some(isAsked)
    ? Promise.all(found).then(withPins)
    : withPins(found.flatMap((one) => (one !== undefined && "then" in one ? [] : [one])));
}

/** @param told the nearest first @param states those of the snapshot that the request itself is decided by */
export function aheadOf(
  told: readonly LeaderTold[],
  bucket: number | undefined,
  { states }: Snapshot,
  following: Pick<Following, "isStale">,
): Ahead | undefined {
  return told.reduceRight<Ahead | undefined>((after, { cutover, cohort, pin, visit, isOverCap }) => {
    const { name, staleAfterMs, anonymousMoves } = cutover;
    const stale = staleAfterMs !== undefined && following.isStale(staleAfterMs);
    const known = { journey: pin, cohort, bucket, stale, visit: visit?.side };
    const facts = { owner: undefined, forced: undefined, ...known };
    const state = states.get(name) ?? initialState();
    const exposed = isOverCap && visit === undefined;
    return { name, state, facts: { ...facts, exposed, anonymousMoves, after } };
  }, undefined);
}

/** Where a cutover that goes after none, or whose links count for a group, has a bucket now. */
export function sideThere(following: Following, told: LeaderTold, bucket: number): Side {
  const there = aheadOf([told], bucket, following.current(), following);
  return there === undefined ? "legacy" : decide(there.state, there.facts).side;
}
