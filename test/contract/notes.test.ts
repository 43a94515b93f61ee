/** Notes, which every store keeps alike. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { everyCutover } from "../../src/plan/freeze.ts";
import type { Store } from "../../src/state/store/port.ts";
import { fileHarness, type Harness, memoryHarness, redisHarness } from "./harness.ts";

describe.each(["memory", "file", "redis"] as const)("the %s store", (kind) => {
  let harness: Harness;
  let store: Store;

  beforeAll(async () => {
    const made = { memory: memoryHarness, file: fileHarness, redis: redisHarness };
    harness = await made[kind]();
  });
  beforeEach(async () => {
    ({ store } = await harness.open());
  });
  afterEach(() => harness.close());
  afterAll(() => harness.end());

  const write = (text: string, ifRevision: number) =>
    store.writeNote("checkout", "plan", { text, ifRevision });

  test("has no note before one is written, and then the last one with its revision", async () => {
    expect(await store.note("checkout", "plan")).toEqual({ revision: 0, text: "" });
    expect(await write("a", 0)).toBe("written");
    expect(await write('{"b":"é\u0000"}', 1)).toBe("written");
    expect(await store.note("checkout", "plan")).toEqual({ revision: 2, text: '{"b":"é\u0000"}' });
    expect(await store.note("checkout", "freeze")).toEqual({ revision: 0, text: "" });
    expect(await store.note("cart", "plan")).toEqual({ revision: 0, text: "" });
  });

  test("lets one of those write who have read the same revision", async () => {
    const answers = await Promise.all(["a", "b", "c"].map((text) => write(text, 0)));
    expect(answers.sort()).toEqual(["moved", "moved", "written"]);
    expect((await store.note("checkout", "plan")).revision).toBe(1);
  });

  test("lets a holder write under its fence alone", async () => {
    const leased = await store.lease("checkout/plan", "a", 60_000);
    if (!leased.granted) throw new Error("nobody else has it");
    const fence = { lease: "checkout/plan", token: leased.token };
    expect(await store.writeNote("checkout", "plan", { text: "a", ifRevision: 0, fence })).toBe("written");
    await store.release("checkout/plan", leased.token);
    expect(await store.writeNote("checkout", "plan", { text: "b", ifRevision: 1, fence })).toBe("fenced");
    expect(await store.note("checkout", "plan")).toEqual({ revision: 1, text: "a" });
  });

  test("keeps what is of the whole fleet under a name that is no cutover's", async () => {
    expect(await store.writeNote(everyCutover, "freeze", { text: "a", ifRevision: 0 })).toBe("written");
    expect(await store.writeNote(everyCutover, "freeze", { text: "b", ifRevision: 0 })).toBe("moved");
    expect(await store.note(everyCutover, "freeze")).toEqual({ revision: 1, text: "a" });
    expect(await store.note("checkout", "freeze")).toEqual({ revision: 0, text: "" });
  });

  test("refuses what is no note", async () => {
    await expect(write("x".repeat(200_001), 0)).rejects.toBeInstanceOf(RangeError);
    await expect(write("x", -1)).rejects.toBeInstanceOf(RangeError);
    const fence = { lease: "cart/plan", token: 1 };
    const writing = store.writeNote("checkout", "plan", { text: "x", ifRevision: 0, fence });
    await expect(writing).rejects.toBeInstanceOf(RangeError);
  });
});
