/**
 * The decision on a request, with the store asked where it has to be: for the owners of its keys, and for the journey of
 * a shopper whose client shows no valid cookie of one.
 *
 *   (whose bucket →) look up owners and pin → decide → begin the journey → claim the keys → decide again where these tell something new
 *
 * At most one round trip each for owners and pin, side by side; one before that with the first request of an account on a
 * device, where links lead through logins, and one for its journeys in the cutovers that its own goes after; one more to
 * begin a journey, one more to claim a key.
 */
import type { Decision } from "../../decide/decide.ts";
import type { JourneyPin } from "../../decide/pin.ts";
import type { Found, OverBudget } from "../../ownership/port.ts";
import type { Side } from "../../state/rules/model.ts";
import { sideThere, withStoredJourneys } from "../cohorts/ahead.ts";
import type { ExchangeContext } from "../context.ts";
import { type Refusal, refusals } from "../refusal.ts";
import type { Decided, Linked, NamedShopper } from "../witness.ts";
import { clientOf } from "./client.ts";
import type { CompiledJourney } from "./cookies/compiled.ts";
import { bucketBeside, bucketThrough, linkingOf } from "./cookies/link.ts";
import { decideBy, type Gathered, isStart, stateInForce } from "./gather.ts";

type MaybeDecided = Decided | Refusal;

/** What the store told. */
interface Known {
  readonly owners: Found;
  readonly pin: JourneyPin | undefined;
  /** Whether a live pin may say another side than the bucket. */
  readonly differs: () => boolean;
}

const nothing: Found = { keys: [], sides: [], owner: undefined, claimable: false, unknown: false };
/** Instances may follow a change, and their clocks may run, so much apart. */
const leewayMs = 60_000;

/** @returns at once when the store need not be asked; never rejects but for a fault of the proxy's own */
export function lookUp(context: ExchangeContext, gathered: Gathered): MaybeDecided | Promise<MaybeDecided> {
  const { leaders, shopper, visitor } = gathered;
  // Who is named here and now has been nowhere before.
  if (leaders.length === 0 || shopper === undefined || visitor !== undefined)
    return lookUpThrough(context, gathered);
  const found = withStoredJourneys(context, leaders, shopper);
  return "then" in found
    ? found.then((told) => lookUpThrough(context, { ...gathered, leaders: told }))
    : lookUpThrough(context, { ...gathered, leaders: found });
}

/** By the bucket from before a login, where that counts. */
function lookUpThrough(context: ExchangeContext, gathered: Gathered): MaybeDecided | Promise<MaybeDecided> {
  if (gathered.link === undefined || isClosed(context, gathered)) return lookUpBy(context, gathered);
  const { route, link, visit, leaders, linkedBeside } = gathered;
  const sideOf = (bucket: number) =>
    decideBy(context.following, { ...gathered, bucket }, undefined, undefined).decision.side;
  const through = (linked: Linked, told = leaders) => {
    const { bucket, visit } = linked;
    return lookUpBy(context, { ...gathered, linked, bucket, visit, leaders: told });
  };
  const { linking } = route.cutover;
  const other = leaders.find(({ cutover }) => cutover.name === linking) ?? linkedBeside;
  if (other === undefined) {
    const linked = bucketThrough(context, route.cutover, link, visit, sideOf);
    return "then" in linked ? linked.then(through) : through(linked);
  }
  const sideOfOther = (bucket: number) => sideThere(context.following, other, bucket);
  const there = { cutover: other.cutover, visit: other.visit, sideOf: sideOfOther };
  const throughIt = ({ linked, visitThere }: Awaited<ReturnType<typeof bucketBeside>>) => {
    const told = leaders.map((each) => (each === other ? { ...each, visit: visitThere } : each));
    return through(linked, told);
  };
  const found = bucketBeside(context, there, link, visit);
  return "then" in found ? found.then(throughIt) : throughIt(found);
}

function lookUpBy(context: ExchangeContext, gathered: Gathered): MaybeDecided | Promise<MaybeDecided> {
  const { route, keys } = gathered;
  const { following, ownership, pins } = context;
  const shopper = withoutCookie(gathered);
  if (keys.length === 0 && shopper === undefined) {
    const decided = decideBy(following, gathered, undefined, undefined);
    return mustKnow(gathered, decided) && mayBeTold(context, gathered, nothing)
      ? refusals.ownerUnknown
      : decided;
  }
  const { name, journey } = route.cutover;
  const owners = keys.length === 0 ? nothing : ownership.find(name, keys, gathered.claims);
  const differs = () => mayDiffer(context, gathered);
  const mayHaveOne = gathered.visitor === undefined && !isClosed(context, gathered) && !isStart(route);
  const isAsked = shopper !== undefined && journey !== undefined && mayHaveOne;
  const pin = isAsked
    ? pins.find(name, shopper.name, journey.life.maxTtl, { keepsNone: shopper.keepsNone, differs })
    : undefined;
  if ("then" in owners || (pin !== undefined && "then" in pin)) {
    return Promise.all([owners, pin]).then((told) =>
      conclude(context, gathered, { owners: told[0], pin: told[1], differs }),
    );
  }
  return conclude(context, gathered, { owners, pin, differs });
}

/** @returns the shopper, where the journey may be known to the store alone */
function withoutCookie({ pin, shopper }: Gathered): NamedShopper | undefined {
  return pin === undefined ? shopper : undefined;
}

function conclude(
  context: ExchangeContext,
  gathered: Gathered,
  known: Known,
): MaybeDecided | Promise<MaybeDecided> {
  const { owners, pin } = known;
  const { journey } = gathered.route.cutover;
  const shopper = withoutCookie(gathered);
  const decided = decideBy(context.following, gathered, owners.owner, pin);
  if (mustKnow(gathered, decided) && (owners.unknown || mayBeTold(context, gathered, owners)))
    return refusals.ownerUnknown;
  if (shopper !== undefined && journey !== undefined && begins(gathered, shopper, decided, known)) {
    return begin(context, gathered, known, decided, shopper, journey);
  }
  return claim(context, gathered, known, decided);
}

/** Holds the side where the request goes for its shopper's other starts, or goes on where a journey or a start is. */
async function begin(
  context: ExchangeContext,
  gathered: Gathered,
  known: Known,
  decided: Decided,
  shopper: NamedShopper,
  { life: { maxTtl, reserve: reserveTtl } }: CompiledJourney,
): Promise<MaybeDecided> {
  const { following, pins, clock, ids } = context;
  const { name } = gathered.route.cutover;
  const id = ids.journeyId();
  const now = Math.floor(clock.now() / 1000);
  const epoch = decided.state.pinEpoch;
  const reserve = (side: Side) => {
    const offer: JourneyPin = { id, side, epoch, startedAt: now, expiresAt: now + maxTtl };
    return pins.reserve(name, shopper.name, offer, maxTtl, reserveTtl);
  };
  const pin = await reserve(decided.decision.side);
  const isOwn = pin.id === id;
  const begun = isOwn || pin.reserved !== undefined ? pin.id : undefined;
  const by = isOwn ? decided : decideBy(following, gathered, known.owners.owner, pin);
  const claimed = await claim(
    context,
    gathered,
    { ...known, pin: isOwn ? undefined : pin },
    { ...by, begun },
  );
  const isElsewhere = !isRefused(claimed) && claimed.decision.side !== pin.side;
  // The key had an owner after all: the journey begins where that is, unless anybody may have said whose it is.
  if (isRefused(claimed) || (isElsewhere && !shopper.isVouched)) {
    if (begun !== undefined) void pins.release(name, shopper.name, begun);
    return isRefused(claimed) ? claimed : { ...claimed, begun: undefined };
  }
  if (isOwn && claimed.begun === undefined) await reserve(claimed.decision.side);
  return { ...claimed, begun };
}

/** Claims the keys that are claimed by use and nobody owns, for the side the request goes to. */
function claim(
  context: ExchangeContext,
  gathered: Gathered,
  { owners, pin }: Known,
  decided: Decided,
): MaybeDecided | Promise<MaybeDecided> {
  if (!owners.claimable || !gathered.claims) return decided;
  const over = overBudget(context, gathered, owners);
  if (over !== undefined) return pastBudget(context, gathered, decided, over);
  const must = mustKnow(gathered, decided);
  const { ownership, following } = context;
  const { name } = gathered.route.cutover;
  return ownership
    .claim(name, owners, decided.decision.side, must)
    .then(({ owner, unknown, settle: settleClaims }): MaybeDecided => {
      if (unknown && must) return refusals.ownerUnknown;
      const isSame = owner === undefined || owner === owners.owner;
      const by = isSame ? decided : decideBy(following, gathered, owner, pin);
      return settleClaims === undefined ? by : { ...by, settleClaims };
    });
}

function overBudget(
  { budget, table }: ExchangeContext,
  { route, arrival }: Gathered,
  { keys, sides }: Found,
): OverBudget | undefined {
  const { name, claims } = route.cutover;
  let count = 0;
  for (const [i, { claimed }] of keys.entries()) if (claimed && sides[i] === undefined) count += 1;
  return budget.take(name, clientOf(table.trusts, arrival.head, arrival.names).counted, count, claims);
}

/** Past the bound only that goes on which goes to the same side also without a claim. */
function pastBudget(
  { budget }: ExchangeContext,
  { route }: Gathered,
  decided: Decided,
  { cause, afterSeconds }: OverBudget,
): MaybeDecided {
  const { reason } = decided.decision;
  const isFixed = reason === "journey" || reason === "owner";
  budget.exceeded(route.cutover.name, cause, isFixed ? "unclaimed" : "refused");
  if (isFixed) return decided;
  const refusal = cause === "client" ? refusals.claimsSpent : refusals.storeFilling;
  return { ...refusal, retryAfter: afterSeconds };
}

export function isRefused(decided: MaybeDecided): decided is Refusal {
  return "proxyError" in decided;
}

/**
 * Whether it may yet be told whose the request is: it names an order that nobody has made, as far as is known, or has a
 * body that was to name one and could not be read. What is claimed by use is nobody's before its first request.
 */
function mayBeTold(
  { unowned }: ExchangeContext,
  { route, unread }: Gathered,
  { keys, sides }: Found,
): boolean {
  const order = keys.find(({ claimed }, i) => !claimed && sides[i] === undefined);
  const what = order?.key ?? (keys.some(({ claimed }) => !claimed) ? undefined : unread);
  // A preflight makes nothing, and is not sent again.
  if (what === undefined || route.preflight === undefined) return false;
  return unowned.mayBeTold(route.cutover.name, what, route.unknownForMs);
}

function mustKnow({ route }: Gathered, { decision }: Decided): boolean {
  return route.unknown === "retry" && guesses.has(decision.reason);
}

/** Reasons that say nothing of where a key was first seen. */
const guesses: ReadonlySet<Decision["reason"]> = new Set([
  "rolled_back",
  "exposure",
  "cohort",
  "anonymous",
  "stale",
  "visit",
  "bucket",
  "after",
]);

/**
 * Whether the request begins a journey in the store. Where the state or the outage decides, a pin would add nothing;
 * nor where a key tried again tells another side than the bucket, and nobody would read it. A stranger who names a shopper
 * may bring a key of his own: it never says where that shopper's journey begins.
 */
function begins(
  { route }: Gathered,
  { isVouched }: NamedShopper,
  { decision }: Decided,
  { differs }: Known,
): boolean {
  if (route.starts === undefined) return false;
  return beginning.has(decision.reason) || (decision.reason === "owner" && isVouched && differs());
}

const beginning: ReadonlySet<Decision["reason"]> = new Set([
  "rolled_back",
  "exposure",
  "forced",
  "cohort",
  "visit",
  "bucket",
  "after",
]);

/** Of a closed cutover nobody's pin says anything. */
function isClosed({ following }: ExchangeContext, { route }: Gathered): boolean {
  return stateInForce(following, route).state === "closed";
}

/**
 * Whether any live pin may say another side than the bucket. A pin begins where the bucket says and lives for one
 * maximum; so only while the routing has changed within that time, or where testers, visits or logins begin it on other
 * sides, the shopper's cohort may be another one than on the request that began, or the cutover goes after others.
 * Not counted is an instance that hears of no change for longer and yet makes pins in a store of their own: those are
 * asked for as far as they are known.
 */
function mayDiffer({ following, clock, table }: ExchangeContext, { route }: Gathered): boolean {
  const { journey, force, visit, cohorts, leaders } = route.cutover;
  const { link } = linkingOf(table, route.cutover);
  const { state, updatedAt } = stateInForce(following, route);
  if (journey === undefined || state === "closed") return false;
  if ((force ?? visit ?? link) !== undefined || cohorts.length > 0 || leaders.length > 0) return true;
  // Not a number before the first change: nothing differs then.
  return clock.now() - Date.parse(updatedAt) < journey.life.maxTtl * 1000 + leewayMs;
}
