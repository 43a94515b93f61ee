/**
 * Who holds what a request is about, where the store may have to be asked: its keys' owners, and the journey of a
 * shopper whose client keeps no cookies. At most one round trip each for owners and pin, side by side; one more to
 * begin a journey, one more to claim a key.
 */

import type { Clock } from "../../base/clock.ts";
import type { Decision } from "../../decide/decide.ts";
import type { JourneyPin } from "../../decide/pin.ts";
import type { Claimed, Found, OwnerKey, Ownership, Pins } from "../../ownership/port.ts";
import type { CutoverState, Side } from "../../state/rules/model.ts";
import type { CompiledRoute } from "../routes.ts";

/** What a request of a cutover was decided by. */
export interface Decided {
  readonly route: CompiledRoute;
  readonly decision: Decision;
  readonly state: CutoverState;
  /** The valid pin of its journey, whether or not it decided. */
  readonly pin: JourneyPin | undefined;
  /** Those it carries: each has an owner or may have, so that a request with one never changes sides again. */
  readonly keys: readonly OwnerKey[];
  /** The shopper, where its journey is in the store rather than in a cookie. */
  readonly cookieless: string | undefined;
  /** The id of the journey that this request has begun in the store. */
  readonly begun?: string;
}

export interface HoldersContext {
  readonly ownership: Ownership;
  readonly pins: Pins;
  readonly clock: Clock;
}

export interface Meeting {
  readonly route: CompiledRoute;
  readonly keys: readonly OwnerKey[];
  readonly cookieless: string | undefined;
  /** The state in force. */
  readonly state: CutoverState;
  readonly newId: () => string;
  /** Decides with what is known of owner and journey. */
  readonly judge: (owner: Side | undefined, stored: JourneyPin | undefined) => Decided;
}

/** `unknown`: the owner can not be learned in time and the route would rather not guess. */
export type Met = Decided | "unknown";

const nothing: Found = { keys: [], sides: [], owner: undefined, claimable: false, unknown: false };
/** Instances may follow a change, and their clocks may run, so much apart. */
const leewayMs = 60_000;

/** @returns at once when the store need not be asked; never rejects but for a fault of the proxy's own */
export function meetHolders(context: HoldersContext, meeting: Meeting): Met | Promise<Met> {
  const { ownership, pins, clock } = context;
  const { route, keys, cookieless, judge } = meeting;
  const { name, journey } = route.cutover;

  const found = keys.length === 0 ? nothing : ownership.find(name, keys);
  const differs = journey !== undefined && mayDiffer(meeting, clock.now());
  const stored =
    cookieless !== undefined && journey !== undefined && differs && route.journey !== "start"
      ? pins.find(name, cookieless, journey.life.maxTtl)
      : undefined;
  if ("then" in found || (stored !== undefined && "then" in stored)) {
    return Promise.all([found, stored]).then(([owners, pin]) => proceed(owners, pin));
  }
  return proceed(found, stored);

  function proceed(owners: Found, pin: JourneyPin | undefined): Met | Promise<Met> {
    const decided = judge(owners.owner, pin);
    if (owners.unknown && mustKnow(decided)) return "unknown";
    if (cookieless === undefined || journey === undefined || !begins(decided, differs)) {
      return claim(owners, decided, pin);
    }
    const { maxTtl } = journey.life;
    const now = Math.floor(clock.now() / 1000);
    const epoch = decided.state.pinEpoch;
    const offer = (side: Side): JourneyPin => ({ id, side, epoch, startedAt: now, expiresAt: now + maxTtl });
    const id = meeting.newId();
    return pins.start(name, cookieless, offer(decided.decision.side), maxTtl).then(async (held) => {
      if (held.id !== id) return claim(owners, judge(owners.owner, held), held);
      const met = await claim(owners, { ...decided, begun: id }, undefined);
      if (met === "unknown" || met.begun === id) return met;
      // The key had an owner after all: the journey begins where that is.
      await pins.start(name, cookieless, offer(met.decision.side), maxTtl);
      return { ...met, begun: id };
    });
  }

  function claim(owners: Found, decided: Decided, pin: JourneyPin | undefined): Met | Promise<Met> {
    if (!owners.claimable) return decided;
    const must = mustKnow(decided);
    return ownership
      .claim(name, owners, decided.decision.side, must)
      .then(({ owner, unknown }: Claimed): Met => {
        if (unknown && must) return "unknown";
        return owner === undefined || owner === owners.owner ? decided : judge(owner, pin);
      });
  }
}

function mustKnow({ route, decision }: Decided): boolean {
  return route.unknown === "retry" && guesses.has(decision.reason);
}

/** Reasons that say nothing of where a key was first seen. */
const guesses: ReadonlySet<Decision["reason"]> = new Set(["rolled_back", "anonymous", "stale", "bucket"]);

/**
 * Whether the request begins a journey in the store. Where the state or the outage decides, a pin would add nothing;
 * nor where a key tried again tells another side than the bucket, and nobody would read it.
 */
function begins({ route, decision }: Decided, differs: boolean): boolean {
  if (route.journey !== "start") return false;
  return beginning.has(decision.reason) || (decision.reason === "owner" && differs);
}

const beginning: ReadonlySet<Decision["reason"]> = new Set(["rolled_back", "forced", "bucket"]);

/**
 * Whether a live pin may say another side than the bucket. A pin begins where the bucket says and lives for one
 * maximum; so only while the routing has changed within that time, or testers are let onto other sides. Of a closed
 * cutover nobody asks.
 */
function mayDiffer({ route, state }: Meeting, nowMs: number): boolean {
  const { journey, force } = route.cutover;
  if (journey === undefined || state.state === "closed") return false;
  if (force !== undefined) return true;
  // Not a number before the first change: nothing differs then.
  return nowMs - Date.parse(state.updatedAt) < journey.life.maxTtl * 1000 + leewayMs;
}
