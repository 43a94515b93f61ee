import { describe, expect, test } from "vitest";
import {
  judgeHandEdit,
  type RawFields,
  type RejectedField,
  readByHand,
  type View,
} from "../../../../src/state/rules/hand-edit.ts";
import { type CutoverState, initialState, type StateName } from "../../../../src/state/rules/model.ts";
import type { Routing } from "../../../../src/state/rules/routing.ts";

function accepted(state: StateName, percentThousandths: number, pinEpoch = 3): CutoverState {
  return { ...initialState(), state, percentThousandths, pinEpoch, version: 7 };
}

interface Case {
  readonly what: string;
  readonly from: CutoverState;
  readonly raw: RawFields;
  /** What becomes of the routing; without it, nothing. */
  readonly to?: Partial<Routing>;
  readonly rejected?: readonly RejectedField[];
}

const open = accepted("open", 40_000);
const held = accepted("held", 40_000);
const rolledBack = accepted("rolled_back", 0);
const closed = accepted("closed", 100_000);

const cases: readonly Case[] = [
  { what: "nothing there keeps everything", from: open, raw: {} },
  { what: "the same in other words is no change", from: open, raw: { percent: "40.000", state: "open" } },
  { what: "percent 0 wins", from: open, raw: { percent: "0" }, to: { percentThousandths: 0 } },
  { what: "a raise in open", from: open, raw: { percent: "55.5" }, to: { percentThousandths: 55_500 } },
  { what: "a percent that is none", from: open, raw: { percent: "fifty" }, rejected: ["percent"] },
  { what: "an empty percent", from: open, raw: { percent: "" }, rejected: ["percent"] },
  { what: "a state that is none", from: open, raw: { state: "opened" }, rejected: ["state"] },
  {
    what: "field by field: a good percent beside a bad state",
    from: open,
    raw: { percent: "10", state: "??" },
    to: { percentThousandths: 10_000 },
    rejected: ["state"],
  },
  {
    what: "field by field: a good state beside a bad percent",
    from: open,
    raw: { percent: "101", state: "held" },
    to: { state: "held" },
    rejected: ["percent"],
  },
  {
    what: "rolled_back alone takes percent to 0",
    from: open,
    raw: { percent: "40", state: "rolled_back" },
    to: { state: "rolled_back", percentThousandths: 0 },
  },
  {
    what: "rolled_back from held",
    from: held,
    raw: { state: "rolled_back" },
    to: { state: "rolled_back", percentThousandths: 0 },
  },
  {
    what: "a bare percent while rolled back",
    from: rolledBack,
    raw: { percent: "5" },
    rejected: ["percent"],
  },
  {
    what: "a percent beside rolled_back while rolled back",
    from: rolledBack,
    raw: { percent: "5", state: "rolled_back" },
    rejected: ["percent"],
  },
  {
    what: "a percent beside a bad state while rolled back",
    from: rolledBack,
    raw: { percent: "5", state: "opened" },
    rejected: ["state", "percent"],
  },
  {
    what: "open takes out of rolled_back",
    from: rolledBack,
    raw: { percent: "5", state: "open" },
    to: { state: "open", percentThousandths: 5000 },
  },
  { what: "held out of rolled_back", from: rolledBack, raw: { state: "held" }, rejected: ["state"] },
  {
    what: "held with a percent out of rolled_back",
    from: rolledBack,
    raw: { percent: "5", state: "held" },
    rejected: ["state", "percent"],
  },
  { what: "closed out of rolled_back", from: rolledBack, raw: { state: "closed" }, rejected: ["state"] },
  {
    what: "closed at 100 out of rolled_back",
    from: rolledBack,
    raw: { percent: "100", state: "closed" },
    rejected: ["state", "percent"],
  },
  { what: "a lower while held", from: held, raw: { percent: "1" }, to: { percentThousandths: 1000 } },
  { what: "a raise while held", from: held, raw: { percent: "41" }, rejected: ["percent"] },
  {
    what: "a raise into held keeps the percent and holds",
    from: open,
    raw: { percent: "41", state: "held" },
    to: { state: "held" },
    rejected: ["percent"],
  },
  {
    what: "open takes out of held, with a raise",
    from: held,
    raw: { percent: "41", state: "open" },
    to: { state: "open", percentThousandths: 41_000 },
  },
  { what: "closed below 100", from: open, raw: { state: "closed" }, rejected: ["state"] },
  {
    what: "closed at 100",
    from: accepted("open", 100_000),
    raw: { state: "closed" },
    to: { state: "closed" },
  },
  {
    what: "100 and closed written together",
    from: open,
    raw: { percent: "100", state: "closed" },
    to: { state: "closed", percentThousandths: 100_000 },
  },
  {
    what: "closed out of held at 100",
    from: accepted("held", 100_000),
    raw: { state: "closed" },
    rejected: ["state"],
  },
  {
    what: "everything while closed",
    from: closed,
    raw: { percent: "0", state: "open", pin_epoch: "9" },
    rejected: ["state", "percent", "pin_epoch"],
  },
  { what: "rolled_back while closed", from: closed, raw: { state: "rolled_back" }, rejected: ["state"] },
  { what: "a higher epoch", from: open, raw: { pin_epoch: "4" }, to: { pinEpoch: 4 } },
  { what: "a lower epoch", from: open, raw: { pin_epoch: "2" }, rejected: ["pin_epoch"] },
  { what: "an epoch that is none", from: open, raw: { pin_epoch: "4th" }, rejected: ["pin_epoch"] },
  {
    what: "an epoch beyond all bounds",
    from: open,
    raw: { pin_epoch: "9".repeat(16) },
    rejected: ["pin_epoch"],
  },
  {
    what: "the accepted epoch however long it is",
    from: accepted("open", 40_000, 1_000_000_000_000_000),
    raw: { pin_epoch: "1000000000000000" },
  },
];

describe("readByHand", () => {
  test.each(cases)("$what", ({ from, raw, to, rejected }) => {
    const { percentThousandths, state, pinEpoch } = from;
    const reading = readByHand(from, raw);
    expect(reading.routing).toMatchObject({ percentThousandths, state, pinEpoch, ...to });
    expect(reading.differs).toBe(to !== undefined);
    expect(reading.rejected).toEqual(rejected ?? []);
  });
});

function state(version: number, percentThousandths: number): CutoverState {
  return { ...initialState(), percentThousandths, version };
}

interface Standing {
  readonly raw?: RawFields;
  readonly accepted?: CutoverState;
  readonly wrongType?: boolean;
  readonly broken?: boolean;
}

function view({ raw, accepted, wrongType = false, broken = false }: Standing): View {
  return {
    serverMs: 0,
    receivedAtMs: 0,
    visible: { wrongType, present: raw !== undefined, raw: raw ?? {}, digest: "v" },
    accepted: { state: accepted, broken, digest: "a" },
    lineage: {},
  };
}

const five = state(5, 50_000);
const nine = state(9, 90_000);

describe("what follows from what stands in the store", () => {
  test.each(["0%", " 0", "0\n", "00", "0.0", '"0"', "\t0 %\r\n", "000.000%"])(
    "percent %j by hand is the 0 that a person meant",
    (percent) => {
      const { routing, rejected } = readByHand(open, { percent });
      expect({ routing, rejected }).toMatchObject({
        routing: { percentThousandths: 0, state: "open" },
        rejected: [],
      });
    },
  );

  test.each(["ROLLED_BACK", "rolled_back ", "Rolled Back", "rolled-back", "'rolled_back'\n"])(
    "state %j by hand is the rollback that a person meant",
    (state) => {
      const { routing, rejected } = readByHand(open, { state });
      expect({ routing, rejected }).toMatchObject({ routing: { state: "rolled_back" }, rejected: [] });
    },
  );

  test("held with a space behind it holds, and an epoch with zeros before it is a number", () => {
    expect(readByHand(open, { state: "held ", pin_epoch: " 04\n" })).toMatchObject({
      routing: { state: "held", pinEpoch: 4 },
      rejected: [],
    });
  });

  test.each([
    `5${" ".repeat(63)}`,
    `${"0".repeat(63)}5`,
    "\u00a05",
    "5,5",
    "+5",
    "5e0",
    "0x5",
    "5%%",
    "-0",
    ".5",
  ])("percent %j by hand, cut short or nothing a person writes for a percent, is not followed", (percent) => {
    expect(readByHand(open, { percent })).toMatchObject({ differs: false, rejected: ["percent"] });
  });

  test("settles an empty store at the initial state", () => {
    expect(judgeHandEdit(view({}), undefined)).toEqual({
      kind: "settled",
      state: initialState(),
      rejected: [],
    });
  });

  test("settles what is as it was accepted, whatever older state the caller knows", () => {
    const standing = view({ raw: { percent: "50" }, accepted: five });
    for (const lastGood of [undefined, five, state(4, 0), initialState()]) {
      expect(judgeHandEdit(standing, lastGood)).toEqual({ kind: "settled", state: five, rejected: [] });
    }
  });

  test("gives back the caller's later state, and shows it where nothing or only the older state is shown", () => {
    const given = { kind: "restore", state: nine, given: true };
    expect(judgeHandEdit(view({}), nine)).toEqual({ ...given, show: true });
    expect(judgeHandEdit(view({ raw: { percent: "50" }, accepted: five }), nine)).toEqual({
      ...given,
      show: true,
    });
    expect(judgeHandEdit(view({ broken: true }), nine)).toEqual({ ...given, show: true });
  });

  test("does not write over what was written by hand when it gives a state back", () => {
    const given = { kind: "restore", state: nine, given: true, show: false };
    expect(judgeHandEdit(view({ raw: { percent: "0" } }), nine)).toEqual(given);
    expect(judgeHandEdit(view({ raw: { percent: "0" }, accepted: five }), nine)).toEqual(given);
    expect(judgeHandEdit(view({ raw: { percent: "x" }, accepted: five }), nine)).toEqual(given);
    expect(judgeHandEdit(view({ wrongType: true, accepted: five }), nine)).toEqual(given);
  });

  test("shows the accepted state again when the visible hash is gone", () => {
    expect(judgeHandEdit(view({ accepted: five }), five)).toEqual({
      kind: "restore",
      state: five,
      show: true,
      given: false,
    });
  });

  test("removes an accepted state that does not read when nobody knows better", () => {
    expect(judgeHandEdit(view({ raw: { percent: "50" }, broken: true }), undefined)).toEqual({
      kind: "restore",
      state: undefined,
      show: false,
      given: false,
    });
  });

  test("adopts a valid edit, with what is refused beside it", () => {
    const standing = view({ raw: { percent: "1", pin_epoch: "-" }, accepted: five });
    expect(judgeHandEdit(standing, five)).toEqual({
      kind: "adopt",
      routing: { percentThousandths: 1000, state: "open", pinEpoch: 0 },
      rejected: ["pin_epoch"],
    });
  });

  test("keeps the accepted state under a key of another kind", () => {
    expect(judgeHandEdit(view({ wrongType: true, accepted: five }), five)).toEqual({
      kind: "settled",
      state: five,
      rejected: ["type"],
    });
  });
});
