import { describe, expect, test } from "vitest";
import {
  type Change,
  type CutoverState,
  initialState,
  transition,
} from "../../../../src/state/rules/model.ts";
import { type Announcement, accept, successionOf } from "../../../../src/state/rules/succession.ts";
import type { Loaded } from "../../../../src/state/store/port.ts";

const by = { name: "ana", role: "admin" } as const;

function changed(from: CutoverState, change: Change): CutoverState {
  const at = `2026-01-01T00:00:0${from.version}.000Z`;
  const made = transition(from, { change, actor: by, reason: "because", at });
  if (!made.accepted) throw new Error(made.code);
  return made.next;
}

const setTo = (percentThousandths: number): Change => ({ action: "set", percentThousandths });
const news = (from: CutoverState, state: CutoverState, isSure = true): Announcement => ({
  name: "checkout",
  from,
  state,
  isSure,
});

const first = changed(initialState(), setTo(50_000));
const raise = changed(first, setTo(60_000));
const held = changed(first, { action: "hold" });
const rolledBack = changed(first, { action: "rollback" });

describe("a change that is announced", () => {
  test.each<[string, CutoverState | undefined, Announcement, string]>([
    ["the first of a cutover", undefined, news(initialState(), first), "follow"],
    ["a raise", first, news(first, raise), "follow"],
    ["a rollback", first, news(first, rolledBack), "follow"],
    ["a raise told by a server that is not read from", first, news(first, raise, false), "ask"],
    ["a resume told by such a server", held, news(held, changed(held, { action: "resume" }), false), "ask"],
    ["a lower percent told by such a server", first, news(first, changed(first, setTo(1)), false), "follow"],
    ["a hold told by such a server", first, news(first, held, false), "follow"],
    ["a rollback told by such a server", first, news(first, rolledBack, false), "follow"],
    [
      "a hard rollback told by such a server",
      first,
      news(first, changed(first, { action: "rollback_hard" }), false),
      "follow",
    ],
    ["what is followed already", first, news(initialState(), first), "known"],
    ["what was followed before", raise, news(initialState(), first), "ask"],
    ["a change after one that was missed", initialState(), news(first, raise), "ask"],
    [
      "one made from another state of the same version",
      { ...first, percentThousandths: 1 },
      news(first, raise),
      "ask",
    ],
    [
      "one made at another time from the same",
      { ...first, updatedAt: "2026-02-02T00:00:00.000Z" },
      news(first, raise),
      "ask",
    ],
    ["one that skips a version", first, news(first, { ...raise, version: 3 }), "ask"],
  ])("%s", (_, kept, told, expected) => {
    expect(successionOf(kept, told)).toBe(expected);
  });

  test("closing sends everybody to new: told by a server that is not read from, the store is asked", () => {
    const all = changed(first, setTo(100_000));
    expect(successionOf(all, news(all, changed(all, { action: "close" }), false))).toBe("ask");
  });
});

describe("what was loaded", () => {
  const loaded = (state: CutoverState): Loaded => ({
    states: new Map([["checkout", state]]),
    rejections: [],
    restored: [],
  });
  const kept = (state: CutoverState) => new Map([["checkout", state]]);

  test("is accepted, unless it is older than what the store was asked with", () => {
    const asked = kept(first);
    expect(accept(["checkout"], asked, asked, loaded(raise))).toEqual({
      states: kept(raise),
      steppedBack: [],
      isOutrun: false,
    });
    const later = kept(raise);
    expect(accept(["checkout"], later, later, loaded(first))).toEqual({
      states: later,
      steppedBack: [{ name: "checkout", kept: 2, offered: 1 }],
      isOutrun: false,
    });
  });

  test("does not take back what was announced while it was read, nor is it an older version then", () => {
    const told = kept(rolledBack);
    for (const offered of [first, raise, changed(raise, setTo(70_000))]) {
      expect(accept(["checkout"], kept(first), told, loaded(offered))).toEqual({
        states: told,
        steppedBack: [],
        isOutrun: true,
      });
    }
    expect(accept(["checkout"], kept(first), told, loaded({ ...rolledBack }))).toMatchObject({
      states: told,
      isOutrun: false,
    });
  });
});
