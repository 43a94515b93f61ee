import { describe, expect, it } from "vitest";
import { type RawFields, type RejectedField, readByHand } from "../../../../src/state/rules/by-hand.ts";
import {
  type CutoverState,
  initialState,
  type Routing,
  type StateName,
} from "../../../../src/state/rules/model.ts";

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
  { what: "a state that is none", from: open, raw: { state: "Open" }, rejected: ["state"] },
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
  { what: "an epoch that is none", from: open, raw: { pin_epoch: "04" }, rejected: ["pin_epoch"] },
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
  it.each(cases)("$what", ({ from, raw, to, rejected }) => {
    const { percentThousandths, state, pinEpoch } = from;
    const reading = readByHand(from, raw);
    expect(reading.routing).toMatchObject({ percentThousandths, state, pinEpoch, ...to });
    expect(reading.differs).toBe(to !== undefined);
    expect(reading.rejected).toEqual(rejected ?? []);
  });
});
