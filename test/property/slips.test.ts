/**
 * Nothing slips past: whatever is answered, fails, is tried again, spelled or asked by whatever method, a key has at most
 * one side, no stranger's request changes another's owner, and nothing that failed binds. Through both engines, before
 * real upstreams, which alone say what reached whom. CUTOVER_BARS=full: 100,000 cases in memory and 2,000 on Redis.
 * SEED: the seed; RUNS and RUNS_ON_REDIS: how many.
 */
import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import { createMemoryStores } from "../../src/ownership/stores/in-process.ts";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createRedisClient } from "../../src/redis/client.ts";
import {
  type Change,
  type CutoverState,
  initialState,
  type Side,
  transition,
} from "../../src/state/rules/model.ts";
import { startRedis } from "../support/redis.ts";
import { type ScriptedSides, startScriptedSides } from "../support/scripted-sides.ts";
import { host, orderIds, pickedFrom, spellings } from "../support/slips-answers.ts";
import { type Ask, caseOf, keys, type Made, made, type Step } from "../support/slips-cases.ts";
import { type SlipsFleet, startSlipsFleet, type Told } from "../support/slips-fleet.ts";
import { createSlipsModel, type Person, type SlipsModel } from "../support/slips-model.ts";

const isFull = process.env.CUTOVER_BARS === "full";
/** The short form has the same cases each time. */
const seed = Number(process.env.SEED ?? (isFull ? Date.now() % 2 ** 31 : 41));
const runs = Number(process.env.RUNS ?? (isFull ? 100_000 : 100));
const runsOnRedis = Number(process.env.RUNS_ON_REDIS ?? (isFull ? 2000 : 15));

let sides: ScriptedSides;
let fleet: SlipsFleet;
let asked = 0;

beforeAll(async () => {
  sides = await startScriptedSides();
  fleet = await startSlipsFleet(sides);
});

afterAll(async () => {
  await fleet.close();
  await sides.close();
});

type End = ReturnType<SlipsModel["received"]>;

const person = (kind: Person["kind"], id: string): Person => ({
  kind,
  id,
  cookie: undefined,
  journey: undefined,
  held: undefined,
  lostUntilMs: 0,
});

/** One case: what is asked and changed, and what must hold. */
function createCase(model: SlipsModel, first: number) {
  // What is late of an earlier case has another name.
  let count = first;
  let state: CutoverState = initialState();
  const nobody = person("nobody", "");
  /** Orders and keys of requests and answers. */
  const named = new Set<string>();
  const people = [person("browser", "ana"), person("app", "bob"), person("app", "cleo"), nobody];

  function receivedBy(name: string): Side | undefined {
    const receipts = sides.receipts.filter(({ script }) => script === name);
    const [first] = receipts;
    if (receipts.some(({ side }) => side !== first?.side)) throw new Error(`${name} reached both sides`);
    if (first?.method === "POST" && receipts.length > 1) throw new Error(`${name} was sent twice`);
    return first?.side;
  }

  function check({ question, asked }: Made, side: Side | undefined, allowed: ReadonlySet<string>): void {
    const place = side ?? "refused";
    if (allowed.has(place)) return;
    const { who, key, orders } = question;
    const what = `${asked.method} ${asked.target} of ${who.id || "nobody"}, key ${key}, orders ${orders}`;
    throw new Error(`${what}: ${place}, not ${[...allowed].join(" or ")}`);
  }

  function conclude(of: Made, told: Told, side: Side | undefined, end: End, isMet: boolean): void {
    if (side === undefined) {
      model.reachedNobody(of.question, isMet);
      return;
    }
    const { breaks, status } = of.script;
    if (breaks === "never" && told.status !== status)
      throw new Error(`${status} was answered as ${told.status}`);
    const isAnswer = breaks !== "before the head";
    if (!isAnswer && told.cookie !== undefined) throw new Error("no answer began a journey");
    end({
      status: isAnswer ? status : 599,
      breaks: breaks === "after the head",
      hasHead: isAnswer && told.status === status,
      cookie: told.cookie,
      teaches: of.teaches,
    });
  }

  async function probe(
    method: string,
    target: string,
    more: readonly string[] = [],
  ): Promise<Side | undefined> {
    const name = `s${count++}`;
    sides.tell(name, { status: 200, fields: [], body: "ok", breaks: "never" });
    const length = method === "POST" ? ["Content-Length", "0"] : [];
    const fields = ["Host", host, "X-Script", name, ...length, ...more];
    await fleet.ask(count, { method, target, fields, body: undefined });
    return receivedBy(name);
  }

  function make(ask: Ask): Made {
    const one = made(ask, `s${count++}`, people, nobody);
    for (const text of [one.question.key ?? [], one.question.orders, one.order].flat()) named.add(text);
    return one;
  }

  /** @param meanwhile what happens while an upstream has it */
  async function askOne(ask: Ask, meanwhile?: () => Promise<void>): Promise<void> {
    const name = `s${count}`;
    const one = make(ask);
    const allowed = model.allowed(one.question);
    let side: Side | undefined;
    let end: End = () => {};
    let fault: unknown;
    const arrived = async () => {
      // A safe request may be sent once more.
      if (side !== undefined) return;
      side = receivedBy(name);
      if (side === undefined) return;
      check(one, side, allowed);
      end = model.received(one.question, side);
      await meanwhile?.();
    };
    sides.tell(name, one.script, () =>
      arrived().catch((error: unknown) => {
        fault ??= error;
      }),
    );
    const told = await fleet.ask(ask.at, one.asked);
    if (fault !== undefined) throw fault;
    receivedBy(name);
    if (side === undefined && one.script.breaks !== "refused") check(one, undefined, allowed);
    conclude(one, told, side, end, false);
  }

  /** Two at once, whichever comes first. */
  async function askTogether(asks: readonly [Ask, Ask]): Promise<void> {
    const both = asks.map((ask) => ({ ask, name: `s${count}`, one: make(ask) }));
    const keys = new Set(both.map(({ one }) => one.question.key));
    const ends: (() => void)[] = [];
    await Promise.all(
      both.map(async ({ ask, one, name }) => {
        let end: End = () => {};
        sides.tell(name, one.script, async () => {
          const side = receivedBy(name);
          if (side !== undefined) end = model.received(one.question, side);
        });
        const answer = await fleet.ask(ask.at, one.asked);
        const teaches = one.teaches.map(({ order }) => ({ order, surely: false }));
        ends.push(() => conclude({ ...one, teaches }, answer, receivedBy(name), end, keys.size === 1));
      }),
    );
    for (const end of ends) end();
    for (const { one } of both) model.blur(one.question.who);
  }

  function change(to: Change): void {
    const actor = { name: "ops", role: "admin" } as const;
    const written = transition(state, {
      change: to,
      actor,
      reason: "",
      at: new Date(fleet.time.ms).toISOString(),
    });
    if (!written.accepted) return;
    state = written.next;
    set(0);
  }

  function set(passMs: number): void {
    fleet.set(state, passMs);
    model.set(state, passMs);
  }

  return {
    async take(step: Step): Promise<void> {
      switch (step.kind) {
        case "ask":
          return askOne(step.ask);
        case "change":
          return change(step.change);
        case "during":
          return askOne(step.ask, async () => {
            if (step.change !== null) change(step.change);
            await askOne(step.other);
          });
        case "together":
          return askTogether(step.asks);
        case "store":
          await fleet.toggleStore();
          return model.toggleStore();
        case "pass":
          return set(step.ms);
      }
    },
    /** Whoever names an order meets its owner, and where nobody owns what was named all go by the routing. */
    async end(): Promise<void> {
      if (!fleet.isUp()) return;
      const free = state.state === "closed" ? "new" : "legacy";
      for (const order of orderIds) {
        const owner = model.ownerOfOrder(order);
        if (owner === undefined || !named.has(order)) continue;
        const at = await probe("GET", `/orders/${pickedFrom(spellings, count)(order)}`);
        if (at !== (owner === "none" ? free : owner))
          throw new Error(`${order} of ${owner} is ${at}'s in the end`);
      }
      for (const key of keys) {
        const isFree =
          model.ownerOfKey(key) === "none" && named.has(key) && model.ownerOfOrder(key) === "none";
        const at = isFree ? await probe("POST", "/cart/1", ["Idempotency-Key", key]) : free;
        if (at !== free) throw new Error(`the key ${key} of nobody is ${at}'s in the end`);
      }
      for (const [key, at] of model.executed)
        if (at.size > 1 && !model.doubtful.has(key)) throw new Error(`${key} was executed by both sides`);
    },
  };
}

async function takeAll(steps: readonly Step[], model: SlipsModel): Promise<void> {
  sides.forget();
  const one = createCase(model, asked);
  asked += 100;
  for (const step of steps) await one.take(step);
  await one.end();
}

test(`a key has one side, no stranger changes an owner, nothing that failed binds: ${runs} cases (SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(caseOf(true), async (steps) => {
      fleet.begin(createMemoryStores({ now: () => fleet.time.ms }), 1_700_000_000_000);
      await takeAll(steps, createSlipsModel(true));
    }),
    { seed, numRuns: runs },
  );
}, 3_600_000);

test(`the same on Redis: ${runsOnRedis} cases (SEED=${seed})`, async () => {
  const server = await startRedis();
  const client = createRedisClient(server.url);
  let places = 0;
  try {
    await fc.assert(
      fc.asyncProperty(caseOf(false), async (steps) => {
        const over = createRedisStores({ client, prefix: `slips${places++}`, deadlineMs: 5000 });
        fleet.begin(over, Math.floor(Date.now() / 1000) * 1000);
        await takeAll(steps, createSlipsModel(false));
      }),
      { seed, numRuns: runsOnRedis },
    );
  } finally {
    await client.close();
    await server.stop();
  }
}, 3_600_000);
