/** What every store keeps of how a change came about, and of reasons that were given later. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../src/state/store/port.ts";
import { applyAll, command, setTo, stateOf } from "../support/commands.ts";
import { fileHarness, type Harness, memoryHarness, redisHarness, type StoreUnderTest } from "./harness.ts";

describe.each([
  ["memory", async () => memoryHarness()],
  ["file", async () => fileHarness()],
  ["redis", redisHarness],
] as const)("the history in %s", (_, makeHarness) => {
  let harness: Harness;
  let under: StoreUnderTest;
  let store: Store;
  beforeAll(async () => {
    harness = await makeHarness();
  });
  afterAll(() => harness.end());
  beforeEach(async () => {
    under = await harness.open();
    store = under.store;
  });
  afterEach(() => harness.close());

  const annotating = {
    name: "checkout",
    version: 1,
    by: "bob",
    reason: "the provider was down",
    via: "cli",
    requestId: "r-2",
  } as const;

  test("says by which way and at which request a change came, and nothing where neither was told", async () => {
    await store.apply(command("checkout", setTo(5), { origin: { via: "console", requestId: "r-1" } }));
    await store.apply(command("checkout", setTo(6), { origin: { via: "direct" } }));
    await store.apply(command("checkout", setTo(7)));
    const [last, direct, console_] = await store.history("checkout", 10);
    expect(console_).toMatchObject({ version: 1, via: "console", requestId: "r-1" });
    expect(direct).toMatchObject({ version: 2, via: "direct" });
    expect(direct?.requestId).toBeUndefined();
    expect(last?.via).toBeUndefined();
  });

  test("shows reasons given later with the change, oldest first, and leaves the change as it was", async () => {
    await applyAll(store, "checkout", [setTo(5), { action: "rollback" }]);
    const before = await store.history("checkout", 10);
    const first = await store.annotate(annotating);
    const second = await store.annotate({ ...annotating, reason: "and the bank", by: "eve" });
    expect(first).toMatchObject({ by: "bob", reason: "the provider was down", via: "cli", requestId: "r-2" });
    const after = await store.history("checkout", 10);
    expect(after).toEqual([before[0], { ...before[1], annotations: [first, second] }]);
    expect(await stateOf(store, "checkout")).toMatchObject({ version: 2, reason: "because" });
  });

  test("adds nothing to a version or a cutover it has not", async () => {
    await applyAll(store, "checkout", [setTo(5)]);
    expect(await store.annotate({ ...annotating, version: 2 })).toBeUndefined();
    expect(await store.annotate({ ...annotating, name: "returns" })).toBeUndefined();
    expect((await store.history("checkout", 10))[0]?.annotations).toBeUndefined();
  });

  test("goes on making versions over annotations", async () => {
    await applyAll(store, "checkout", [setTo(5)]);
    await store.annotate(annotating);
    await applyAll(store, "checkout", [setTo(6)]);
    expect((await store.history("checkout", 10)).map(({ version }) => version)).toEqual([2, 1]);
  });

  test("tells what was changed since a moment, that moment included", async () => {
    await applyAll(store, "checkout", [setTo(5)]);
    await under.pass(30);
    await applyAll(store, "checkout", [setTo(6), setTo(7)]);
    const all = await store.history("checkout", 10);
    const second = Date.parse(all[1]?.at ?? "");
    const since = await store.history("checkout", 10, second);
    expect(since.map(({ version }) => version)).toEqual([3, 2]);
    expect(await store.history("checkout", 1, second)).toEqual(all.slice(0, 1));
    expect(await store.history("checkout", 10, second + 60_000)).toEqual([]);
  });
});
