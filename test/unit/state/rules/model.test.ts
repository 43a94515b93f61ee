import { describe, expect, test } from "vitest";
import {
  type Change,
  type CutoverState,
  initialState,
  type RefusalCode,
  type Role,
  roles,
  type StateName,
  stateNames,
  transition,
} from "../../../../src/state/rules/model.ts";

const at = "2026-01-02T03:04:05.678Z";

function stateAt(state: StateName, percentThousandths: number): CutoverState {
  return { ...initialState(), state, percentThousandths, pinEpoch: 3, version: 7, updatedBy: "before" };
}

function ask(current: CutoverState, change: Change, role: Role = "admin", ifVersion?: number) {
  const request = { change, actor: { name: "ann", role }, reason: "because", at };
  return transition(current, ifVersion === undefined ? request : { ...request, ifVersion });
}

const typical: Record<StateName, CutoverState> = {
  open: stateAt("open", 40_000),
  held: stateAt("held", 40_000),
  rolled_back: stateAt("rolled_back", 0),
  closed: stateAt("closed", 100_000),
};

const changes = {
  raise: { action: "set", percentThousandths: 60_000 },
  lower: { action: "set", percentThousandths: 0 },
  keep: { action: "set", percentThousandths: 40_000 },
  hold: { action: "hold" },
  rollback: { action: "rollback" },
  rollback_hard: { action: "rollback_hard" },
  resume: { action: "resume" },
  close: { action: "close" },
} satisfies Record<string, Change>;

/** The contract's table, written out again: what an admin gets in each state. */
const expected: Record<StateName, Record<keyof typeof changes, RefusalCode | "changed" | "unchanged">> = {
  open: {
    raise: "changed",
    lower: "changed",
    keep: "unchanged",
    hold: "changed",
    rollback: "changed",
    rollback_hard: "changed",
    resume: "unchanged",
    close: "not_complete",
  },
  held: {
    raise: "held",
    lower: "changed",
    keep: "unchanged",
    hold: "unchanged",
    rollback: "changed",
    rollback_hard: "changed",
    resume: "changed",
    close: "held",
  },
  rolled_back: {
    raise: "rolled_back",
    lower: "unchanged",
    keep: "rolled_back",
    hold: "rolled_back",
    rollback: "unchanged",
    rollback_hard: "changed",
    resume: "changed",
    close: "rolled_back",
  },
  closed: {
    raise: "closed",
    lower: "closed",
    keep: "closed",
    hold: "closed",
    rollback: "closed",
    rollback_hard: "closed",
    resume: "closed",
    close: "unchanged",
  },
};

const rows = stateNames.flatMap((name) =>
  Object.entries(expected[name]).map(([move, outcome]) => ({ name, move, outcome })),
);

function changeOf(move: string): Change {
  const found = Object.entries(changes).find(([name]) => name === move);
  if (found === undefined) throw new Error(move);
  return found[1];
}

describe("transition", () => {
  test.each(rows)("$name: $move → $outcome", ({ name, move, outcome }) => {
    const result = ask(typical[name], changeOf(move));
    const seen = result.accepted ? (result.changed ? "changed" : "unchanged") : result.code;
    expect(seen).toBe(outcome);
  });

  test("makes the next version, with who, when and why, of each change", () => {
    expect(ask(typical.open, changes.raise)).toEqual({
      accepted: true,
      changed: true,
      next: {
        percentThousandths: 60_000,
        state: "open",
        pinEpoch: 3,
        version: 8,
        updatedAt: at,
        updatedBy: "ann",
        reason: "because",
      },
    });
  });

  test("leaves the very same state when nothing changes", () => {
    const result = ask(typical.open, changes.keep);
    expect(result.accepted && result.next).toBe(typical.open);
  });

  test("rolls back to 0, and keeps the pins unless it is a hard rollback", () => {
    const plain = ask(typical.held, changes.rollback);
    const hard = ask(typical.held, changes.rollback_hard);
    expect(plain).toMatchObject({ next: { percentThousandths: 0, state: "rolled_back", pinEpoch: 3 } });
    expect(hard).toMatchObject({ next: { percentThousandths: 0, state: "rolled_back", pinEpoch: 4 } });
  });

  test("resumes from held at the same percent, from rolled back at 0", () => {
    expect(ask(typical.held, changes.resume)).toMatchObject({
      next: { percentThousandths: 40_000, state: "open" },
    });
    expect(ask(typical.rolled_back, changes.resume)).toMatchObject({
      next: { percentThousandths: 0, state: "open" },
    });
  });

  test("closes only open at 100", () => {
    expect(ask(stateAt("open", 99_999), changes.close)).toEqual({ accepted: false, code: "not_complete" });
    expect(ask(stateAt("open", 100_000), changes.close)).toMatchObject({
      changed: true,
      next: { state: "closed" },
    });
    expect(ask(stateAt("held", 100_000), changes.close)).toEqual({ accepted: false, code: "held" });
  });

  test("raises nothing that is closed, should it ever stand below 100", () => {
    expect(ask(stateAt("closed", 10_000), changes.raise)).toEqual({ accepted: false, code: "closed" });
  });

  test.each([
    ["raise", "operator"],
    ["lower", "responder"],
    ["keep", "responder"],
    ["hold", "responder"],
    ["rollback", "responder"],
    ["rollback_hard", "responder"],
    ["resume", "operator"],
    ["close", "admin"],
  ] as const)("%s needs at least the role %s", (move, least) => {
    const current = move === "close" ? stateAt("open", 100_000) : typical.open;
    for (const role of roles) {
      const result = ask(current, changes[move], role);
      expect(result.accepted, role).toBe(roles.indexOf(role) >= roles.indexOf(least));
      if (!result.accepted) expect(result.code).toBe("forbidden");
    }
  });

  test("refuses by role before version, by version before state", () => {
    expect(ask(typical.rolled_back, changes.raise, "viewer", 1)).toMatchObject({ code: "forbidden" });
    expect(ask(typical.rolled_back, changes.raise, "operator", 1)).toMatchObject({
      code: "version_conflict",
    });
    expect(ask(typical.rolled_back, changes.raise, "operator", 7)).toMatchObject({ code: "rolled_back" });
  });

  test("refuses a stale version even where nothing would change", () => {
    expect(ask(typical.open, changes.keep, "operator", 6)).toMatchObject({ code: "version_conflict" });
  });

  test.each([-1, 100_001, 0.5, Number.NaN])("throws for %d thousandths", (percentThousandths) => {
    expect(() => ask(typical.open, { action: "set", percentThousandths })).toThrow(RangeError);
  });
});
