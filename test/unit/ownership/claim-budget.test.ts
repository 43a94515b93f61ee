import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { createClaimBudget } from "../../../src/ownership/claim-budget.ts";
import type { SpentClaims } from "../../../src/ownership/port.ts";
import { turn } from "../../support/until.ts";

const limits = { perMinute: 32, memoryShare: 0.8 };

function createBudget(memoryInUse?: () => Promise<number | undefined>) {
  const time = { ms: 5000 };
  const told: SpentClaims[] = [];
  const budget = createClaimBudget({
    owners: memoryInUse === undefined ? {} : { memoryInUse },
    clock: { monotonic: () => time.ms },
    tell: (spent) => told.push(spent),
    onExceeded: () => undefined,
  });
  return { time, told, budget };
}

test("a client claims as many keys in a minute as it may, and again in the next", () => {
  const { time, budget } = createBudget();
  const take = (client: string, claims = 1) => budget.take("shop", client, claims, limits);
  for (let i = 0; i < 32; i++) expect(take("192.0.2.1")).toBeUndefined();
  time.ms += 20_500;
  expect(take("192.0.2.1")).toEqual({ cause: "client", afterSeconds: 40 });
  expect(take("192.0.2.2")).toBeUndefined();
  expect(budget.take("other", "192.0.2.1", 1, limits)).toBeUndefined();
  time.ms += 39_500;
  expect(take("192.0.2.1", 31)).toBeUndefined();
  // All of a request's, or none.
  expect(take("192.0.2.1", 2)).toEqual({ cause: "client", afterSeconds: 60 });
  expect(take("192.0.2.1")).toBeUndefined();
});

test("who is not counted, and where no number is set, claims any number", () => {
  const { budget } = createBudget();
  for (let i = 0; i < 100; i++) {
    expect(budget.take("shop", undefined, 1, limits)).toBeUndefined();
    expect(budget.take("shop", "192.0.2.1", 1, { perMinute: undefined, memoryShare: 0.8 })).toBeUndefined();
  }
});

test("from a share of the store's memory on nothing is claimed; it is asked once in a while, and never waited for", async () => {
  const answers = [0.79, 0.8, undefined];
  let asked = 0;
  const { time, budget } = createBudget(async () => answers[asked++]);
  const take = () => budget.take("shop", undefined, 1, limits);
  for (let i = 0; i < 100; i++) expect(take()).toBeUndefined();
  await turn();
  expect(take()).toBeUndefined();
  expect(asked).toBe(1);
  time.ms += 2000;
  expect(take()).toBeUndefined();
  await turn();
  expect(take()).toEqual({ cause: "memory", afterSeconds: 10 });
  time.ms += 2000;
  take();
  await turn();
  // Its memory has no bound any more.
  expect(take()).toBeUndefined();
  expect(asked).toBe(3);
});

test("a store that is full takes nothing: the rules of an outage hold, and nobody is refused", async () => {
  const { budget } = createBudget(async () => 1.2);
  const take = () => budget.take("shop", undefined, 1, limits);
  take();
  await turn();
  expect(take()).toBeUndefined();
});

test("a store that does not tell is not asked again for a minute, and what it told last counts", async () => {
  let asked = 0;
  const { time, budget } = createBudget(async () => {
    asked += 1;
    if (asked > 1) throw new StoreUnavailable("NOPERM");
    return 0.9;
  });
  const take = () => budget.take("shop", undefined, 1, limits);
  take();
  await turn();
  time.ms += 2000;
  take();
  await turn();
  time.ms += 59_000;
  expect(take()?.cause).toBe("memory");
  expect(asked).toBe(2);
  time.ms += 1000;
  take();
  expect(asked).toBe(3);
});

test("many clients do not grow what is remembered of them without end", () => {
  const { budget } = createBudget();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 150_000; i++) budget.take("shop", `198.51.${i >> 8}.${i & 255}`, 1, limits);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(60 * 1024 ** 2);
});
