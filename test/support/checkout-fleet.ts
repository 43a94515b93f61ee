/**
 * A fleet of exchanges over one place of owners and pins, two upstreams that make orders, and the shoppers' side of
 * it: all in one process, in the test's own time. Every answer is held against what the fleet promises.
 */

import { StoreUnavailable } from "../../src/base/errors.ts";
import { createMemoryStores } from "../../src/ownership/stores/in-process.ts";
import type { NamedKey, OwnerStore } from "../../src/ownership/stores/port.ts";
import {
  type Change,
  type CutoverState,
  initialState,
  type Side,
  transition,
} from "../../src/state/rules/model.ts";
import { answer, createFixture } from "./exchange-fixture.ts";
import { valuesOf } from "./raw-upstream.ts";
import { turn } from "./until.ts";

const maxTtlMs = 4 * 3_600_000;
const graceMs = 60_000;
/** The store's pin may end so much before the cookie that has slid since. */
const slideMs = 450_000;

interface Journey {
  side: Side;
  /** A start in an outage may have begun another one, known to its instance alone: that may be on either side. */
  mayBeOther?: boolean;
  readonly epoch: number;
  /** Until then it certainly goes on, and from `maybeUntil` on it certainly does not. */
  sureUntil: number;
  /** Until then an instance may remember the one before it, which had ended. */
  readonly sureFrom?: number;
  /** A start then begins another one. */
  ended?: "surely" | "perhaps";
  /** Of a browser: for whom the store has its pin, as far as that is sure, and until when it may have it. */
  readonly stored?: { readonly id: string | undefined; readonly until: number };
  /** The browser has no cookie of it any more: the store alone holds it. */
  isLost?: boolean;
  maybeUntil: number;
}

export interface Shopper {
  readonly kind: "app" | "browser";
  id: string;
  cookie: string | undefined;
  journey: Journey | undefined;
  /** The last decision outside any journey: by how much, and where to. */
  free: { readonly percent: number; readonly side: Side } | undefined;
  /** Each with the journey it was made in. */
  readonly orders: { readonly id: string; readonly side: Side; readonly journey: Journey | undefined }[];
  readonly keys: string[];
}

/** How long the sample configuration keeps an idempotency key: a retry later than that is a new request. */
const keyTtlMs = 24 * 3_600_000;

interface Instance {
  fixture: ReturnType<typeof createFixture>;
  applied: CutoverState;
}

export interface Answered {
  readonly side: Side;
  readonly order: string | undefined;
  readonly cookie: string | undefined;
}

export function createCheckoutFleet(size: number, shoppers: number) {
  const time = { ms: 1_700_000_000_000 };
  const stores = createMemoryStores({ now: () => time.ms });
  let up = true;
  let truth = initialState();
  let orders = 0;
  let keys = 0;
  /** Which sides have executed a key. */
  const executed = new Map<string, Set<Side>>();
  /** When a key was first used. */
  const usedAt = new Map<string, number>();
  const refused = { count: 0 };
  const listeners = new Set<(cutover: string, key: NamedKey, side: Side) => void>();

  const reach = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!up) throw new StoreUnavailable("off");
    return work();
  };
  const record: OwnerStore["record"] = async (cutover, key, side, ttlMs, late, token) => {
    const before = await stores.owners.record(cutover, key, side, ttlMs, late, token);
    if (before === undefined && token === undefined) for (const hear of listeners) hear(cutover, key, side);
    return before;
  };
  const settle: OwnerStore["settle"] = async (cutover, key, token, isKept) => {
    await stores.owners.settle(cutover, key, token, isKept);
    const [side] = await stores.owners.lookup(cutover, [key]);
    if (isKept && side !== undefined) for (const hear of listeners) hear(cutover, key, side);
  };
  const open = (state: CutoverState) => {
    return createFixture({
      state,
      time,
      cutover: {
        routes: [
          { name: "cart", path: "/cart/*" },
          { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
          { name: "pay", path: "/orders/:orderId/pay", methods: ["POST"], journey: "end", unknown: "retry" },
          { name: "callback", path: "/callbacks/payment", methods: ["POST"], unknown: "retry" },
        ],
      },
      owners: {
        lookup: (...args) => reach(() => stores.owners.lookup(...args)),
        record: (...args) => reach(() => record(...args)),
        settle: (...args) => reach(() => settle(...args)),
        release: (...args) => reach(() => stores.owners.release(...args)),
      },
      watch(onOwner) {
        listeners.add(onOwner);
        return () => listeners.delete(onOwner);
      },
      pinNews: stores.pinNews,
      pins: {
        find: (...args) => reach(() => stores.pins.find(...args)),
        reserve: (...args) => reach(() => stores.pins.reserve(...args)),
        release: (...args) => reach(() => stores.pins.release(...args)),
        start: (...args) => reach(() => stores.pins.start(...args)),
        keep: (...args) => reach(() => stores.pins.keep(...args)),
        tie: (...args) => reach(() => stores.pins.tie(...args)),
        end: (...args) => reach(() => stores.pins.end(...args)),
      },
    });
  };
  const instances: Instance[] = Array.from({ length: size }, () => ({
    fixture: open(truth),
    applied: truth,
  }));
  const people: Shopper[] = Array.from({ length: shoppers }, (_, i) => ({
    kind: i % 2 === 0 ? "browser" : "app",
    id: `s${i}`,
    cookie: undefined,
    journey: undefined,
    free: undefined,
    orders: [],
    keys: [],
  }));

  const fail = (what: string): never => {
    throw new Error(what);
  };

  /** Sends without answering. @returns how to answer and read what came */
  async function send(instance: Instance, method: string, target: string, fields: string[], body?: string) {
    const { fixture } = instance;
    const before = fixture.attempts.length;
    const client = fixture.send({ method, target, fields: ["Host", "shop", ...fields] }, body);
    for (let i = 0; i < 6; i++) await turn();
    const attempt = fixture.attempts[before];
    const side: Side | undefined = attempt && (attempt.upstream === "fresh" ? "new" : "legacy");
    return async (): Promise<Answered | undefined> => {
      if (side === undefined) {
        if (client.heads[0]?.status !== 503) fail(`refused with ${client.heads[0]?.status}`);
        refused.count += 1;
        return undefined;
      }
      let order: string | undefined;
      if (target === "/checkout") {
        order = `O-${orders++}`;
        answer(attempt, 201, ["Content-Type", "application/json"], JSON.stringify({ orderId: order }));
      } else answer(attempt, 200);
      for (let i = 0; i < 6; i++) await turn();
      if (!client.ended()) fail("no whole answer");
      const cookies = valuesOf(client.heads[0]?.fields ?? [], "set-cookie");
      return { side, order, cookie: cookies.find((text) => text.startsWith("cutover_journey=")) };
    };
  }

  const isSynced = ({ applied }: Instance) => applied.version === truth.version;

  /** Where a shopper of an app goes, all instances must have heard of the change: it cannot tell them of its pin. */
  function instanceFor({ kind }: Shopper, pick: number): Instance {
    const able = kind === "app" ? instances.filter(isSynced) : instances;
    return able[pick % able.length] ?? instances[0] ?? fail("no instance");
  }

  const fieldsOf = ({ kind, id, cookie }: Shopper): string[] =>
    kind === "app"
      ? ["X-Shopper-Id", id]
      : ["Cookie", cookie === undefined ? `sid=${id}` : `sid=${id}; ${cookie}`];

  const effective = ({ state, percentThousandths }: CutoverState) =>
    state === "rolled_back" ? 0 : percentThousandths;

  function phaseOf(shopper: Shopper, instance: Instance, starts = false): "pinned" | "free" | "unsure" {
    const { journey } = shopper;
    if (journey === undefined || time.ms >= journey.maybeUntil) return "free";
    if (starts && journey.ended !== undefined) {
      // Its end is in the store; whoever remembers the pin need not have heard of it.
      return journey.ended === "surely" && up ? "free" : "unsure";
    }
    if ((shopper.kind === "app" || journey.isLost) && !up) return "unsure";
    if (journey.isLost && (!isSynced(instance) || journey.stored?.id !== shopper.id)) return "unsure";
    const { applied } = instance;
    if (journey.side === "new" && journey.epoch < applied.pinEpoch)
      return journey.mayBeOther ? "unsure" : "free";
    if (time.ms < (journey.sureFrom ?? 0)) return "unsure";
    return time.ms < journey.sureUntil ? "pinned" : "unsure";
  }

  /** Holds a decision that no key made against the shopper's journey, or else against the direction of percent. */
  function judge(shopper: Shopper, instance: Instance, side: Side, starts = false): void {
    const phase = phaseOf(shopper, instance, starts);
    if (phase === "pinned" && side !== shopper.journey?.side) {
      fail(`${shopper.id} in a journey on ${shopper.journey?.side} went to ${side}`);
    }
    if (phase !== "free") return;
    const percent = effective(instance.applied);
    const { free } = shopper;
    if (free !== undefined && free.side !== side) {
      const isWithPercent = side === "new" ? percent > free.percent : percent < free.percent;
      if (!isWithPercent)
        fail(`${shopper.id} went from ${free.side} at ${free.percent} to ${side} at ${percent}`);
    }
    shopper.free = { percent, side };
  }

  function takeCookie(
    shopper: Shopper,
    instance: Instance,
    { side, cookie }: Answered,
    begins: boolean,
    isFresh = false,
  ): void {
    if (shopper.kind !== "browser" || cookie === undefined) return;
    const maxAgeMs = Number(/Max-Age=(\d+)/.exec(cookie)?.[1]) * 1000;
    shopper.cookie = cookie.split(";")[0];
    const until = time.ms + maxAgeMs;
    const { journey } = shopper;
    // What drains after a rollback goes on as it was.
    const isVoid = journey?.side === "new" && journey.epoch < instance.applied.pinEpoch;
    const isUnderWay =
      journey !== undefined && !isVoid && journey.ended === undefined && time.ms < journey.maybeUntil;
    const drains = isUnderWay && instance.applied.state === "rolled_back" && journey.side === side;
    if ((begins && !(drains && side === "new")) || journey === undefined) {
      const epoch = instance.applied.pinEpoch;
      // A cookie that is shown renews the pin of whom it was given to.
      const isShown = isUnderWay && !journey.isLost && time.ms < journey.sureUntil;
      const isSame = isShown && journey.side === side;
      const id = isSame ? journey.stored?.id : !isShown && up && isFresh ? shopper.id : undefined;
      const stored = { id, until: time.ms + maxTtlMs };
      shopper.journey = { side, epoch, sureUntil: until, maybeUntil: stored.until, stored };
    } else {
      journey.sureUntil = until;
      journey.maybeUntil = Math.max(until, journey.stored?.until ?? 0);
    }
    if (shopper.journey !== undefined) shopper.journey.isLost = false;
  }

  async function visit(shopper: Shopper, pick: number): Promise<Side> {
    const instance = instanceFor(shopper, pick);
    const told = await (await send(instance, "GET", "/cart/1", fieldsOf(shopper)))();
    if (told === undefined) return fail("a visit was refused");
    judge(shopper, instance, told.side);
    takeCookie(shopper, instance, told, false);
    return told.side;
  }

  /** A client that names its request as an order that is about to be made, perhaps somebody else's. */
  async function guess(shopper: Shopper, pick: number, ahead: number): Promise<void> {
    const key = `O-${orders + ahead}`;
    if (!usedAt.has(key)) await startWith(shopper, pick, key, false);
  }

  /** @param key an earlier one is a retry */
  async function start(shopper: Shopper, pick: number, key: string | undefined): Promise<void> {
    // What an instance has forgotten in an outage it can only guess; where that matters, a route says `retry`.
    if (key !== undefined && (!up || time.ms >= (usedAt.get(key) ?? 0) + keyTtlMs)) return;
    await startWith(shopper, pick, key ?? `K-${keys++}`, key !== undefined);
  }

  async function startWith(shopper: Shopper, pick: number, used: string, isRetry: boolean): Promise<void> {
    const instance = instanceFor(shopper, pick);
    const fields = [...fieldsOf(shopper), "Idempotency-Key", used];
    const told = await (await send(instance, "POST", "/checkout", fields, "{}"))();
    if (told === undefined) return fail("a checkout was refused");
    ranOn(used, told.side);
    if (!isRetry) {
      judge(shopper, instance, told.side, true);
      shopper.keys.push(used);
    }
    const phase = phaseOf(shopper, instance, true);
    // A key that has an owner says where it goes, which the store need not hear of.
    takeCookie(shopper, instance, told, true, !isRetry && used.startsWith("K-"));
    if (shopper.kind === "app") startOfApp(shopper, instance, told.side, phase, isRetry);
    const { journey } = shopper;
    if (told.order !== undefined) shopper.orders.push({ id: told.order, side: told.side, journey });
  }

  function startOfApp(
    shopper: Shopper,
    instance: Instance,
    side: Side,
    phase: ReturnType<typeof phaseOf>,
    isRetry: boolean,
  ): void {
    const until = time.ms + maxTtlMs;
    const { journey } = shopper;
    if (phase === "free") {
      // One that could not be recorded lives on this instance alone; one that a key decided, perhaps nowhere.
      const sureUntil = up && !isRetry ? until : 0;
      const epoch = instance.applied.pinEpoch;
      const sureFrom = journey?.ended === undefined ? 0 : time.ms + graceMs / 2;
      shopper.journey = { side, epoch, sureFrom, sureUntil, maybeUntil: until };
    } else if (journey !== undefined) {
      if (phase === "unsure") {
        journey.sureUntil = 0;
        journey.mayBeOther = true;
      }
      journey.maybeUntil = until;
    }
  }

  function ranOn(key: string, side: Side): void {
    const sides = executed.get(key) ?? new Set();
    executed.set(key, sides.add(side));
    if (!usedAt.has(key)) usedAt.set(key, time.ms);
    if (sides.size > 1) fail(`the key ${key} was executed by both sides`);
  }

  async function pay(shopper: Shopper, pick: number, which: number): Promise<void> {
    const order = shopper.orders[which % Math.max(1, shopper.orders.length)];
    if (order === undefined) return;
    if (isGuess(shopper, order.journey)) return;
    const instance = instanceFor(shopper, pick);
    const told = await (await send(instance, "POST", `/orders/${order.id}/pay`, fieldsOf(shopper), "{}"))();
    if (told === undefined) return;
    if (told.side !== order.side) fail(`${order.id} made on ${order.side} was paid on ${told.side}`);
    takeCookie(shopper, instance, told, false);
    if (shopper.kind === "browser" && told.cookie !== undefined && shopper.journey !== undefined)
      // A pin that an outage has kept from hearing of the end still holds for the next start.
      shopper.journey.ended = up ? "surely" : "perhaps";
    end(shopper);
  }

  /**
   * A journey that the store alone holds has ended, an app's if the order is one of its first start: its side stays for
   * the grace.
   */
  function end({ kind, journey }: Shopper): void {
    if (journey === undefined || (kind === "browser" && !journey.isLost)) return;
    journey.ended = "perhaps";
    journey.sureUntil = Math.min(journey.sureUntil, up ? time.ms + graceMs / 2 : time.ms);
  }

  /** In an outage a journey says more than an unknown key: it is asked after its own orders only. */
  function isGuess(shopper: Shopper, madeIn: Journey | undefined, withoutCookie = false): boolean {
    const { kind, journey } = shopper;
    if (up || journey === undefined) return false;
    const isShown = !withoutCookie && !journey.isLost && time.ms < journey.sureUntil;
    return kind === "app" || !isShown || journey !== madeIn;
  }

  /** The same payment posted to two instances at once. */
  async function payTwice(shopper: Shopper, pick: number): Promise<void> {
    const order = shopper.orders.at(-1);
    if (order === undefined || isGuess(shopper, order.journey, true)) return;
    const key = `K-${keys++}`;
    const fields = ["X-Shopper-Id", shopper.id, "Idempotency-Key", key];
    const path = `/orders/${order.id}/pay`;
    const [one, other] = [instances[pick % size], instances[(pick + 1) % size]];
    if (one === undefined || other === undefined) return;
    const pending = await Promise.all([one, other].map((each) => send(each, "POST", path, fields, "{}")));
    for (const told of await Promise.all(pending.map((finish) => finish()))) {
      if (told === undefined) continue;
      ranOn(key, told.side);
      if (told.side !== order.side) fail(`${order.id} made on ${order.side} was paid on ${told.side}`);
      // A browser's is not told by a header that anybody may send.
      if (shopper.kind === "app") end(shopper);
    }
  }

  /** From the provider: no shopper, no cookie, the order in the body. */
  async function callBack(shopper: Shopper, pick: number, which: number): Promise<void> {
    const order = shopper.orders[which % Math.max(1, shopper.orders.length)];
    const instance = instances[pick % size];
    if (order === undefined || instance === undefined) return;
    const body = JSON.stringify({ order_id: order.id });
    const told = await (await send(instance, "POST", "/callbacks/payment", [], body))();
    if (told !== undefined && told.side !== order.side) {
      fail(`the callback of ${order.id}, made on ${order.side}, went to ${told.side}`);
    }
  }

  async function handIn(instance: Instance): Promise<void> {
    for (const fact of instance.fixture.spooled.splice(0)) {
      const ttlMs = fact.until - time.ms;
      if (ttlMs > 0) await record(fact.cutover, fact, fact.side, ttlMs, true);
    }
  }

  function sync(instance: Instance): void {
    if (!up) return;
    instance.applied = truth;
    instance.fixture.set(truth);
  }

  return {
    people,
    refused,
    visit,
    start,
    guess,
    pay,
    payTwice,
    callBack,
    change(change: Change): void {
      if (!up) return;
      const actor = { name: "ops", role: "operator" } as const;
      const at = new Date(time.ms).toISOString();
      const made = transition(truth, { change, actor, reason: "", at });
      if (made.accepted) truth = made.next;
    },
    sync(pick: number): void {
      const instance = instances[pick % size];
      if (instance !== undefined) sync(instance);
    },
    /** What it remembers is gone; what waited in its spool is in a file. */
    restart(pick: number): void {
      const instance = instances[pick % size];
      if (instance === undefined) return;
      const { spooled } = instance.fixture;
      instance.fixture = open(instance.applied);
      instance.fixture.spooled.push(...spooled);
      sync(instance);
    },
    async toggleStore(): Promise<void> {
      if (up) for (const instance of instances) sync(instance);
      up = !up;
      if (up) for (const instance of instances) await handIn(instance);
    },
    pass(ms: number): void {
      time.ms += ms;
    },
    loseCookie(shopper: Shopper): void {
      if (shopper.kind !== "browser") return;
      shopper.cookie = undefined;
      const { journey } = shopper;
      if (journey === undefined || journey.isLost) return;
      journey.isLost = true;
      // What had ended, or ended while the store was away, may be over there or not.
      const isSure = journey.ended === undefined;
      journey.sureUntil = isSure ? journey.sureUntil - slideMs : 0;
      if (!isSure) journey.ended = "perhaps";
    },
    /** Another identity, the same cookies; what was decided for the old one says nothing of the new one. */
    login(shopper: Shopper): void {
      if (shopper.kind !== "browser") return;
      shopper.id = `${shopper.id}'`;
      shopper.free = undefined;
    },
  };
}
