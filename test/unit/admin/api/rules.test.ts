import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byWhom,
  foresee,
  percentOf,
  percentText,
  pointsRaisedBy,
  restOf,
} from "../../../../src/admin/api/rules.ts";

const stands = {
  percent: 10,
  state: "open",
  version: 42,
  pinEpoch: 0,
  updatedAt: "2025-03-01T11:04:09.120Z",
  updatedBy: "ana",
  reason: "step 2",
} as const;

describe("what a change would do", () => {
  test("an accepted one tells where the cutover would stand then", () => {
    expect(foresee(stands, { call: "percent", percent: 12.5 }, "operator")).toEqual({
      kind: "accepted",
      changed: true,
      to: { percent: 12.5, state: "open", version: 43 },
    });
    expect(foresee(stands, { call: "rollback", hard: true }, "responder")).toMatchObject({
      to: { percent: 0, state: "rolled_back" },
    });
  });

  test("one that changes nothing is told as such", () => {
    expect(foresee(stands, { call: "percent", percent: 10 }, "operator")).toMatchObject({
      changed: false,
      to: { version: 42 },
    });
  });

  test("the rule book refuses it by role, version and state", () => {
    const refused = (code: string) => ({ kind: "refused", code });
    expect(foresee(stands, { call: "percent", percent: 11 }, "responder")).toEqual(refused("forbidden"));
    expect(foresee(stands, { call: "hold", ifVersion: 41 }, "admin")).toEqual(refused("version_conflict"));
    expect(foresee(stands, { call: "close" }, "admin")).toEqual(refused("not_complete"));
  });

  test("a raise by more points than one person may make would be proposed", () => {
    const limited = { ...stands, approval: { over: 10 } };
    const raise = { call: "percent", percent: 20.001 } as const;
    expect(foresee(limited, raise, "operator")).toMatchObject({ kind: "proposed", to: { percent: 20.001 } });
    expect(foresee(limited, { ...raise, percent: 20 }, "operator")).toMatchObject({ kind: "accepted" });
    expect(foresee(limited, raise, "viewer")).toEqual({ kind: "refused", code: "forbidden" });
  });

  test("what one has raised lately counts towards it", () => {
    const limited = { ...stands, approval: { over: 10 } };
    const raise = { call: "percent", percent: 15 } as const;
    expect(foresee(limited, raise, "operator", 6)).toMatchObject({ kind: "proposed" });
    expect(foresee(limited, raise, "operator", 5)).toMatchObject({ kind: "accepted" });
    const entry = { at: "2025-03-01T12:00:00.000Z", by: "ana", action: "set", via: "api" };
    const history = [{ ...entry, from: { percent: 4 }, to: { percent: 10 } }];
    expect(pointsRaisedBy("ana", history, "2025-03-01T11:00:00.000Z")).toBe(6);
  });

  test("what another cutover's sake refuses, it refuses", () => {
    const after = { state: "open", percent: 25 } as const;
    const cohorts = [{ name: "jakarta", percent: 5, limit: 40 }];
    const held = { ...stands, after, cohorts };
    const refused = (code: string) => ({ kind: "refused", code });
    expect(foresee(held, { call: "percent", percent: 26 }, "operator")).toEqual(refused("without_effect"));
    expect(foresee(held, { call: "percent", percent: 25 }, "operator")).toMatchObject({ kind: "accepted" });
    const jakarta = { call: "percent", cohort: "jakarta" } as const;
    expect(foresee(held, { ...jakarta, percent: 40 }, "operator")).toMatchObject({ kind: "accepted" });
    expect(foresee(held, { ...jakarta, percent: 41 }, "operator")).toEqual(refused("without_effect"));
    const full = { ...stands, percent: 100, after: { ...after, percent: 100 } };
    expect(foresee(full, { call: "close", force: true }, "admin")).toEqual(refused("out_of_order"));
    expect(
      foresee({ ...full, after: { ...full.after, state: "closed" } }, { call: "close" }, "admin"),
    ).toMatchObject({
      kind: "accepted",
    });
  });

  test("a close is refused while the configuration keeps a cohort on legacy, unless it is forced", () => {
    const kept = {
      ...stands,
      percent: 100,
      cohorts: [{ name: "my", side: "legacy", percent: null }],
    } as const;
    expect(foresee(kept, { call: "close" }, "admin")).toEqual({ kind: "refused", code: "cohort_on_legacy" });
    expect(foresee(kept, { call: "close", force: true }, "admin")).toMatchObject({ kind: "accepted" });
  });

  test("a close is refused while legacy has something under way, unless it is forced", () => {
    const side = (open: number) => ({ legacy: { open }, new: { open: 3 } });
    const busy = { ...stands, percent: 100, journeys: side(0), unfinished: side(2) };
    expect(foresee(busy, { call: "close" }, "admin")).toEqual({ kind: "refused", code: "under_way" });
    expect(foresee(busy, { call: "close", force: true }, "admin")).toMatchObject({ kind: "accepted" });
    expect(foresee({ ...busy, unfinished: null }, { call: "close" }, "admin")).toMatchObject({
      kind: "accepted",
      to: { state: "closed" },
    });
    const limited = { ...busy, approval: { over: 100 }, unfinished: side(0) };
    expect(foresee(limited, { call: "close" }, "admin")).toMatchObject({ kind: "proposed" });
  });

  test("nothing is foreseen of a percent that is none", () => {
    expect(foresee(stands, { call: "percent", percent: 101 }, "admin")).toBeUndefined();
    expect(foresee(stands, { call: "percent" }, "admin")).toBeUndefined();
  });
});

test("a percent reads back as it is written, and both sides' add up to 100", () => {
  const seed = Date.now();
  const thousandths = fc.integer({ min: 0, max: 100_000 });
  const property = fc.property(thousandths, (number) => {
    const percent = number / 1000;
    expect(percentOf(percentText(percent)), `seed ${seed}`).toBe(percent);
    expect(Math.round(restOf(percent) * 1000) + number, `seed ${seed}`).toBe(100_000);
  });
  fc.assert(property, { seed, verbose: 1 });
});

test("who has changed it is named, but for what came by hand", () => {
  expect(byWhom("ana")).toBe("by ana");
  expect(byWhom("by hand")).toBe("by hand");
});
