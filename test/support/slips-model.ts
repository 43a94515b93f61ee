/**
 * What must hold of requests, told by docs/journeys.md and by what reached the upstreams alone: which sides a request may
 * go to, and what is bound by what became of it. Where an outage leaves more than one possible, it knows all of them.
 */
import { bucketOf } from "../../src/decide/bucket.ts";
import { type CutoverState, initialState, type Side } from "../../src/state/rules/model.ts";

/** `none`: it may be that nobody owns it. */
type Possible = ReadonlySet<Side | "none">;
export type Place = Side | "refused";

interface Pinned {
  readonly side: Side;
  readonly epoch: number;
}

export interface Person {
  readonly kind: "browser" | "app" | "nobody";
  readonly id: string;
  /** The journey cookie it keeps. */
  cookie: string | undefined;
  /** What the model knows of its journey; a browser's is that of its cookie. */
  journey: Journey | undefined;
  /** Starts in flight that hold their side. */
  held: (Pinned & { count: number; perhaps: boolean }) | undefined;
  /** Until then the store may have a journey whose cookie never arrived. */
  lostUntilMs: number;
}

interface Journey extends Pinned {
  readonly startedAtMs: number;
  readonly endsAtMs: number;
  readonly ended: boolean;
  /** Until then an instance may remember the one before. */
  readonly sureFromMs: number;
  /** The store did not hear of it, or only perhaps. */
  readonly perhaps: boolean;
}

export interface Question {
  readonly who: Person;
  /** `elsewhere`: on no route; `refused`: to be taken for none. */
  readonly on: "route" | "elsewhere" | "refused";
  readonly isUnsafe: boolean;
  readonly key: string | undefined;
  /** The orders it names, in the order of the configuration. */
  readonly orders: readonly string[];
  readonly journey: "start" | "end" | undefined;
  readonly retries: boolean;
}

export interface Answered {
  readonly status: number;
  readonly breaks: boolean;
  /** The journey cookie that came with it, and whether a head came at all. */
  readonly cookie: string | undefined;
  readonly hasHead: boolean;
  /** Orders it names where they count, and where they may. */
  readonly teaches: readonly { readonly order: string; readonly surely: boolean }[];
}

const [ttlMs, maxTtlMs] = [30 * 60_000, 4 * 3_600_000];
const [graceMs, rememberedMs, recoveryMs] = [60_000, 30_000, 5000];

export type SlipsModel = ReturnType<typeof createSlipsModel>;

function only(sides: Possible): Side | "none" | undefined {
  const [side] = sides;
  return sides.size === 1 ? side : undefined;
}

/** @param hears whether every instance has heard of every owner before an outage begins */
export function createSlipsModel(hears: boolean) {
  let state = initialState();
  let isUp = true;
  let [nowMs, backAtMs] = [0, Number.NEGATIVE_INFINITY];
  const claims = new Map<string, Possible>();
  const orders = new Map<string, Possible>();
  const executed = new Map<string, Set<Side>>();
  /** Keys whose first request is in flight: who only reads does not meet the claim yet. */
  const inFlight = new Set<string>();
  /** Orders of which an answer may have told, or not. */
  const vague = new Set<string>();
  /** Keys used while nobody could be asked. */
  const doubtful = new Set<string>();

  const possible = (of: Map<string, Possible>, key: string): Possible => of.get(key) ?? new Set(["none"]);
  const orElse = (one: Possible, other: () => Possible): Possible => {
    if (!one.has("none")) return one;
    return new Set([...[...one].filter((each) => each !== "none"), ...other()]);
  };

  function ownerOf({ key, isUnsafe, orders: [order] }: Question): Possible {
    const nobody = () => new Set<"none">(["none"]);
    const byOrder = () => (order === undefined ? nobody() : possible(orders, order));
    if (key === undefined) return byOrder();
    // That an order's number was sent as a key of a request only the store can tell.
    const byNumber = () => new Set([...possible(orders, key), ...(isUp ? [] : nobody())]);
    const isMet = isUnsafe || !inFlight.has(key);
    const byClaim = new Set([...possible(claims, key), ...(isMet ? [] : nobody())]);
    return orElse(byClaim, () => orElse(byNumber(), byOrder));
  }

  const isVoid = ({ side, epoch }: Pinned) => side === "new" && epoch < state.pinEpoch;
  const bucketSide = ({ kind, id }: Person): Side => {
    if (state.state === "closed") return "new";
    if (state.state === "rolled_back" || kind === "nobody") return "legacy";
    return bucketOf("checkout:", id) < state.percentThousandths ? "new" : "legacy";
  };
  const isOver = ({ endsAtMs }: Journey) => nowMs >= endsAtMs;

  /** Where a request goes that no key decides. */
  function freeSides({ who, journey: step }: Question): readonly Side[] {
    if (state.state === "closed") return ["new"];
    const [{ journey, held }, isStart] = [who, step === "start"];
    const alive = journey !== undefined && !isOver(journey) ? journey : undefined;
    if (who.kind === "browser") {
      const counts = alive !== undefined && !(alive.ended && isStart) && !isVoid(alive);
      if (counts) return [alive.side];
      // The store may know longer of it than its cookie.
      const isStored = journey !== undefined && !journey.ended && nowMs < journey.startedAtMs + maxTtlMs;
      if (nowMs < who.lostUntilMs || (alive === undefined && isStored)) return ["legacy", "new"];
      if (held === undefined || isVoid(held)) return [bucketSide(who)];
      return isUp && !held.perhaps ? [held.side] : ["legacy", "new"];
    }
    if (!isUp) return journey === undefined && held === undefined ? [bucketSide(who)] : ["legacy", "new"];
    if (alive?.perhaps) return ["legacy", "new"];
    if (alive !== undefined && nowMs < alive.sureFromMs && !isStart) return ["legacy", "new"];
    if (alive !== undefined && !isVoid(alive) && !(alive.ended && isStart)) return [alive.side];
    if (held !== undefined && !isVoid(held)) return [held.side];
    return [bucketSide(who)];
  }

  /** The pin of its cookie that a request brings. */
  function carried({ who: { kind, journey }, journey: step }: Question): Journey | undefined {
    if (kind !== "browser" || journey === undefined || isOver(journey)) return undefined;
    return journey.ended && step === "start" ? undefined : journey;
  }

  return {
    executed,
    doubtful,
    /** @returns the side that owns it for certain, `none` where nobody does, `undefined` where that is not certain */
    ownerOfOrder: (order: string) => only(possible(orders, order)),
    ownerOfKey: (key: string) => only(possible(claims, key)),
    set(next: CutoverState, passMs: number): void {
      state = next;
      nowMs += passMs;
    },
    toggleStore(): void {
      isUp = !isUp;
      if (!isUp) return;
      backAtMs = nowMs;
      for (const of of [claims, orders])
        for (const [key, sides] of of) {
          // Where nobody has received it, it may have been refused before it claimed anything.
          const isSure = of === orders ? !vague.has(key) : executed.has(key);
          if (sides.size > 1 && isSure) of.set(key, new Set([...sides].filter((each) => each !== "none")));
        }
    },

    /** Its requests were answered in an order that nobody knows. */
    blur(who: Person): void {
      const { kind, journey } = who;
      if (kind === "app" && journey !== undefined)
        who.journey = { ...journey, endsAtMs: nowMs + maxTtlMs, perhaps: true };
    },

    /** Where it may go now. */
    allowed(question: Question): ReadonlySet<Place> {
      if (question.on !== "route") return new Set([question.on === "refused" ? "refused" : "legacy"]);
      if (!hears && !isUp) return new Set(["legacy", "new", "refused"]);
      const owner = ownerOf(question);
      const places = new Set<Place>();
      for (const each of owner) if (each !== "none") places.add(each);
      const [hasKey, hasOrder] = [question.key !== undefined, question.orders.length > 0];
      const isAhead = inFlight.has(question.key ?? "");
      if (isAhead && question.retries && hasOrder) places.add("refused");
      if (!owner.has("none")) return places;
      for (const side of freeSides(question)) places.add(side);
      // An order that nobody owns may yet get its owner.
      const isTrouble = hasKey && (!isUp || nowMs < backAtMs + recoveryMs);
      if (question.retries && (isTrouble || hasOrder)) places.add("refused");
      return places;
    },

    /** An upstream has received it. @returns to be called with what became of it */
    received(question: Question, side: Side): (answered: Answered) => void {
      const { who, key, journey: step } = question;
      if (question.on !== "route") return () => {};
      const owner = ownerOf(question);
      const before = {
        state,
        pin: carried(question),
        isOwned: [...owner].some((each) => each !== "none"),
        isUp,
        free: bucketSide(who),
      };
      if (question.isUnsafe && key !== undefined) {
        executed.set(key, (executed.get(key) ?? new Set()).add(side));
        const known = possible(claims, key);
        if (known.has("none")) inFlight.add(key);
        if (!isUp && (known.has("none") || !hears)) {
          doubtful.add(key);
          claims.set(key, new Set([...known, side]));
        } else if (known.has("none") || known.size === 1) claims.set(key, new Set([side]));
      }
      // A key that is owned says where a start of one who is vouched for begins, while pins may differ from the buckets.
      const perhaps = who.kind === "browser" && before.isOwned;
      const holds =
        who.kind !== "nobody" &&
        step === "start" &&
        (!before.isOwned || perhaps) &&
        isUp &&
        state.state !== "closed";
      const isPinned =
        who.journey !== undefined && !isOver(who.journey) && !who.journey.ended && !isVoid(who.journey);
      if (holds && !isPinned) {
        const held =
          who.held === undefined || isVoid(who.held)
            ? { side, epoch: state.pinEpoch, count: 0, perhaps }
            : who.held;
        held.count += 1;
        who.held = held;
      }
      return (answered) => {
        if (key !== undefined && question.isUnsafe) inFlight.delete(key);
        if (holds && !isPinned && who.held !== undefined) {
          who.held.count -= 1;
          if (who.held.count <= 0 || answered.status < 400) who.held = undefined;
        }
        learn(answered, side);
        if (who.kind === "browser") journeyOfBrowser(question, side, before, answered);
        if (who.kind === "app") journeyOfApp(question, side, before, answered);
      };
    },

    /**
     * No upstream has received it, though it was to go to one.
     *
     * @param isMet whether another request with its key may have met its claim
     */
    reachedNobody({ key, isUnsafe, on }: Question, isMet: boolean): void {
      if (key === undefined || !isUnsafe || on !== "route" || (isUp && !isMet)) return;
      const known = possible(claims, key);
      // It cannot be given back.
      if (known.has("none")) claims.set(key, new Set([...known, "legacy", "new"]));
    },
  };

  function learn({ teaches }: Answered, side: Side): void {
    for (const { order, surely } of teaches) {
      const known = possible(orders, order);
      if (!known.has("none")) continue;
      if (!surely) vague.add(order);
      orders.set(order, new Set(surely && isUp && known.size === 1 ? [side] : [...known, side]));
    }
  }

  interface Before {
    readonly state: CutoverState;
    readonly pin: Journey | undefined;
    readonly isOwned: boolean;
    readonly isUp: boolean;
    readonly free: Side;
  }

  function journeyOfBrowser(
    { who, journey: step }: Question,
    side: Side,
    before: Before,
    { status, breaks, cookie, hasHead }: Answered,
  ): void {
    const pin = before.pin?.side === side ? before.pin : undefined;
    const begins = step === "start" && status < 400;
    if (!hasHead && begins) who.lostUntilMs = nowMs + maxTtlMs;
    if (!hasHead) return;
    if (cookie === undefined) {
      if (begins && !breaks) throw new Error("a start was answered, and its journey was not told");
      return;
    }
    if (!begins && pin === undefined) throw new Error(`an answer of ${status} began a journey`);
    who.cookie = cookie;
    const drains = pin !== undefined && before.state.state === "rolled_back" && side === "new";
    const slid = (from: Journey): Journey =>
      from.ended ? from : { ...from, endsAtMs: Math.min(nowMs + ttlMs, from.startedAtMs + maxTtlMs) };
    if (begins && !drains) {
      const { pinEpoch: epoch } = before.state;
      const times = { startedAtMs: nowMs, endsAtMs: nowMs + ttlMs, sureFromMs: 0 };
      who.journey = { side, epoch, ...times, ended: false, perhaps: false };
    } else if (pin !== undefined) {
      const ends = step === "end" && status >= 200 && status < 300 && !pin.ended;
      const endsAtMs = Math.min(pin.endsAtMs, nowMs + graceMs);
      who.journey = ends ? { ...pin, ended: true, endsAtMs } : slid(pin);
    }
  }

  function journeyOfApp(
    { who, journey: step }: Question,
    side: Side,
    before: Before,
    { status, breaks }: Answered,
  ): void {
    const { journey } = who;
    const alive = journey === undefined || isOver(journey) ? undefined : journey;
    if (step === "end" && status >= 200 && status < 300) {
      if (alive === undefined || alive.ended) return;
      const perhaps = alive.perhaps || !isUp || breaks;
      who.journey = perhaps
        ? { ...alive, perhaps, endsAtMs: Math.max(alive.endsAtMs, nowMs + graceMs) }
        : { ...alive, ended: true, endsAtMs: nowMs + graceMs };
      return;
    }
    if (step !== "start" || status >= 400 || before.state.state === "closed") return;
    const current = alive !== undefined && !alive.ended && !isVoid(alive) ? alive : undefined;
    // One that would begin on the other side now is not prolonged.
    if (current !== undefined && before.free !== side && isUp && !before.isOwned) return;
    const perhaps = before.isOwned || !isUp || !before.isUp || breaks || (alive?.perhaps ?? false);
    const sureFromMs = journey === undefined || current?.side === side ? 0 : nowMs + rememberedMs;
    const times = { startedAtMs: nowMs, endsAtMs: nowMs + maxTtlMs, sureFromMs };
    who.journey = { side, epoch: before.state.pinEpoch, ...times, ended: false, perhaps };
  }
}
