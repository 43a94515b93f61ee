/** A model of claims: every order in which the steps of three requests with one key can fall. */
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { createOwnerMemory } from "../../src/ownership/owner-memory.ts";
import { createOwnership } from "../../src/ownership/ownership.ts";
import type { Claimed, OwnerKey } from "../../src/ownership/port.ts";
import { createMemoryStores } from "../../src/ownership/stores/in-process.ts";
import type { OwnershipStores } from "../../src/ownership/stores/port.ts";
import type { Side } from "../../src/state/rules/model.ts";

const key: OwnerKey = { key: "k", claimed: true, ttlMs: 3_600_000 };
const clock = { now: () => 1_700_000_000_000, monotonic: () => 0 };
const nothing = () => {};
const counts = { conflict: nothing, unknown: nothing, unrecorded: nothing, disputed: nothing };

/** What happens to a request: its claim is not answered, landed or not; or it is sent or not, and settled or not. */
interface Fate {
  readonly claim: "answered" | "lost" | "landed";
  readonly sent: boolean;
  readonly isSettled: boolean;
}

const fates: readonly Fate[] = [
  { claim: "lost", sent: false, isSettled: false },
  { claim: "landed", sent: false, isSettled: false },
  ...[true, false].flatMap((sent) =>
    [true, false].map((isSettled) => ({ claim: "answered", sent, isSettled }) as const),
  ),
];

/** Each on an instance of its own. */
function createRequest(stores: OwnershipStores, wanted: Side, fate: Fate, executed: Set<Side>) {
  const away = () => Promise.reject(new StoreUnavailable("away"));
  const { owners } = stores;
  const ownership = createOwnership({
    owners: {
      lookup: owners.lookup,
      async record(...args) {
        if (fate.claim === "lost") return away();
        const before = await owners.record(...args);
        return fate.claim === "landed" ? away() : before;
      },
      settle: (...args) => (fate.isSettled ? owners.settle(...args) : away()),
      release: owners.release,
    },
    memory: createOwnerMemory(),
    spool: { add: async () => {} },
    counts,
    clock,
  });
  let claimed: Claimed | undefined;
  const steps = [
    async () => {
      const found = await ownership.find("c", [key]);
      claimed = await ownership.claim("c", found, wanted, true);
    },
    async () => {
      // What could not be claimed is refused.
      if (claimed?.unknown === false && fate.sent) executed.add(claimed.owner ?? wanted);
    },
    async () => {
      claimed?.settle?.(fate.sent);
      for (let i = 0; i < 8; i++) await Promise.resolve();
    },
  ];
  return fate.claim === "answered" ? steps : steps.slice(0, 1);
}

/** Every order of the steps of several, each one's own in order. */
function* orders(left: readonly number[]): Generator<number[]> {
  if (left.every((count) => count === 0)) yield [];
  for (const [i, count] of left.entries()) {
    if (count === 0) continue;
    for (const rest of orders(left.with(i, count - 1))) yield [i, ...rest];
  }
}

async function walk(wanted: readonly Side[], told: readonly Fate[]): Promise<number> {
  let walked = 0;
  for (const order of orders(told.map(({ claim }) => (claim === "answered" ? 3 : 1)))) {
    const stores = createMemoryStores(clock);
    const executed = new Set<Side>();
    const requests = told.map((fate, i) => createRequest(stores, wanted[i] ?? "new", fate, executed));
    const at = requests.map(() => 0);
    for (const i of order) {
      await requests[i]?.[at[i] ?? 0]?.();
      at[i] = (at[i] ?? 0) + 1;
    }
    if (executed.size > 1) expect.fail(`paid twice: ${JSON.stringify({ wanted, told, order })}`);
    // Whoever comes last pays where it was paid.
    const last = await stores.owners.record("c", key, "legacy", 1000);
    if (executed.has("new") && last !== "new") expect.fail(`forgotten: ${JSON.stringify({ told, order })}`);
    walked += 1;
  }
  return walked;
}

test("no order of three requests with one key has it paid on both sides, or forgets where it was paid", async () => {
  let walked = 0;
  for (const one of fates)
    for (const two of fates)
      for (const three of fates) walked += await walk(["new", "legacy", "new"], [one, two, three]);
  expect(walked).toBeGreaterThan(100_000);
}, 120_000);

test("a key whose requests all reached nobody, one after the other, is free", async () => {
  const stores = createMemoryStores(clock);
  const executed = new Set<Side>();
  for (const wanted of ["new", "legacy", "new"] as const)
    for (const step of createRequest(
      stores,
      wanted,
      { claim: "answered", sent: false, isSettled: true },
      executed,
    ))
      await step();
  expect(await stores.owners.record("c", key, "legacy", 1000)).toBeUndefined();
});
