import { describe, expect, test } from "vitest";
import { createTaughtFollowing } from "../../../../src/instance/workers/following.ts";
import { hostMs } from "../../../../src/instance/workers/messages.ts";
import { initialState } from "../../../../src/state/rules/model.ts";

const stateAt = (version: number) => ({ ...initialState(), version });

function taught() {
  let now = 1000;
  const following = createTaughtFollowing({ monotonic: () => now });
  return {
    following,
    advance(ms: number) {
      now += ms;
    },
  };
}

describe("what a worker decides by", () => {
  test("is in force when it is told, and never an older version", () => {
    const { following } = taught();
    const heard: number[] = [];
    following.onSwap((snapshot) => heard.push(snapshot.states.get("checkout")?.version ?? -1));
    expect(following.teach({ seq: 7, states: { checkout: stateAt(3) }, local: ["checkout"] })).toEqual({
      seq: 7,
      versions: { checkout: 3 },
    });
    expect(following.current().states.get("checkout")?.version).toBe(3);
    expect(following.current().local).toEqual(new Set(["checkout"]));
    expect(following.teach({ seq: 8, states: { checkout: stateAt(2) }, local: [] })).toEqual({
      seq: 8,
      versions: { checkout: 3 },
    });
    expect(heard).toEqual([3, 3]);
  });

  test("a cutover that is not told any more is gone", () => {
    const { following } = taught();
    following.teach({ seq: 1, states: { checkout: stateAt(1), search: stateAt(1) }, local: [] });
    following.teach({ seq: 2, states: { checkout: stateAt(1) }, local: [] });
    expect([...following.current().states.keys()]).toEqual(["checkout"]);
  });
});

describe("staleness", () => {
  test("begins as stale: there was no word yet", () => {
    expect(taught().following.isStale(1e9)).toBe(true);
  });

  test("is the primary's as of its word, and the time since", () => {
    const { following, advance } = taught();
    following.hear({
      sentAtMs: hostMs(),
      up: true,
      stalenessMs: 100,
      inContactMs: 400,
      writtenMs: null,
      troubledMs: null,
      silentMs: null,
      owners: {},
    });
    expect(following.isStale(1000)).toBe(false);
    advance(599);
    expect(following.isStale(1000)).toBe(false);
    advance(2);
    expect(following.isStale(1000)).toBe(true);
    expect(following.contact().stalenessMs).toBeCloseTo(701, -2);
  });

  test("a word that was long on its way is as old as that", () => {
    const { following } = taught();
    following.hear({
      sentAtMs: hostMs() - 60_000,
      up: true,
      stalenessMs: 0,
      inContactMs: 0,
      writtenMs: null,
      troubledMs: null,
      silentMs: null,
      owners: {},
    });
    expect(following.isStale(59_000)).toBe(true);
    expect(following.isStale(61_000)).toBe(false);
  });

  test("a primary that never had contact has its workers stale", () => {
    const { following } = taught();
    following.hear({
      sentAtMs: hostMs(),
      up: false,
      stalenessMs: 0,
      inContactMs: null,
      writtenMs: null,
      troubledMs: null,
      silentMs: null,
      owners: {},
    });
    expect(following.isStale(1e9)).toBe(true);
  });
});

describe("what the store does not know", () => {
  const writing = { writtenMs: 0, troubledMs: null, silentMs: null };
  const told = { up: true, stalenessMs: 0, inContactMs: 0, ...writing, owners: {} };

  test("is believed to be free while the primary's record is taken, and no longer than it says so", () => {
    const { following, advance } = taught();
    expect(following.isDoubtful(3000)).toBe(true);
    following.hear({ ...told, sentAtMs: hostMs() });
    expect(following.isDoubtful(3000)).toBe(false);
    advance(2000);
    expect(following.isDoubtful(3000)).toBe(true);
  });

  test("is doubted until records were taken for so long, and for a while after another instance was silent", () => {
    const { following, advance } = taught();
    following.hear({ ...told, sentAtMs: hostMs(), troubledMs: 2000 });
    expect(following.isDoubtful(10_000)).toBe(true);
    expect(following.isDoubtful(1000)).toBe(false);
    following.hear({ ...told, sentAtMs: hostMs(), silentMs: 1000 });
    expect(following.isDoubtful(1000)).toBe(true);
    advance(10_000);
    following.hear({ ...told, sentAtMs: hostMs(), silentMs: 11_000 });
    expect(following.isDoubtful(1000)).toBe(false);
  });

  test("is told of each store that owners have of their own, apart from that of the states", () => {
    const { following } = taught();
    const refused = { ...writing, troubledMs: 0 };
    following.hear({ ...told, sentAtMs: hostMs(), owners: { a: refused, b: writing } });
    expect(following.isDoubtful(3000)).toBe(false);
    expect(["a", "b", "unheard of"].map((place) => following.isDoubtfulAt(place, 3000))).toEqual([
      true,
      false,
      true,
    ]);
    following.hear({ ...told, ...refused, sentAtMs: hostMs(), owners: { a: writing } });
    expect(following.isDoubtful(3000)).toBe(true);
    expect(following.isDoubtfulAt("a", 3000)).toBe(false);
  });
});
