import { describe, expect, it } from "vitest";
import type { RawFields } from "../../../../src/state/rules/by-hand.ts";
import { judge, type View } from "../../../../src/state/rules/hand-edit.ts";
import { type CutoverState, initialState } from "../../../../src/state/rules/model.ts";

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

describe("judge", () => {
  it("settles an empty store at the initial state", () => {
    expect(judge(view({}), undefined)).toEqual({ kind: "settled", state: initialState(), rejected: [] });
  });

  it("settles what is as it was accepted, whatever older state the caller knows", () => {
    const standing = view({ raw: { percent: "50" }, accepted: five });
    for (const lastGood of [undefined, five, state(4, 0), initialState()]) {
      expect(judge(standing, lastGood)).toEqual({ kind: "settled", state: five, rejected: [] });
    }
  });

  it("gives back the caller's later state, and shows it where nothing or only the older state is shown", () => {
    const given = { kind: "restore", state: nine, given: true };
    expect(judge(view({}), nine)).toEqual({ ...given, show: true });
    expect(judge(view({ raw: { percent: "50" }, accepted: five }), nine)).toEqual({ ...given, show: true });
    expect(judge(view({ broken: true }), nine)).toEqual({ ...given, show: true });
  });

  it("does not write over what was written by hand when it gives a state back", () => {
    const given = { kind: "restore", state: nine, given: true, show: false };
    expect(judge(view({ raw: { percent: "0" } }), nine)).toEqual(given);
    expect(judge(view({ raw: { percent: "0" }, accepted: five }), nine)).toEqual(given);
    expect(judge(view({ raw: { percent: "x" }, accepted: five }), nine)).toEqual(given);
    expect(judge(view({ wrongType: true, accepted: five }), nine)).toEqual(given);
  });

  it("shows the accepted state again when the visible hash is gone", () => {
    expect(judge(view({ accepted: five }), five)).toEqual({
      kind: "restore",
      state: five,
      show: true,
      given: false,
    });
  });

  it("removes an accepted state that does not read when nobody knows better", () => {
    expect(judge(view({ raw: { percent: "50" }, broken: true }), undefined)).toEqual({
      kind: "restore",
      state: undefined,
      show: false,
      given: false,
    });
  });

  it("adopts a valid edit, with what is refused beside it", () => {
    const standing = view({ raw: { percent: "1", pin_epoch: "-" }, accepted: five });
    expect(judge(standing, five)).toEqual({
      kind: "adopt",
      routing: { percentThousandths: 1000, state: "open", pinEpoch: 0 },
      rejected: ["pin_epoch"],
    });
  });

  it("keeps the accepted state under a key of another kind", () => {
    expect(judge(view({ wrongType: true, accepted: five }), five)).toEqual({
      kind: "settled",
      state: five,
      rejected: ["type"],
    });
  });
});
