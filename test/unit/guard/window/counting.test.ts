import { describe, expect, test } from "vitest";
import { bucketOf } from "../../../../src/decide/bucket.ts";
import { createShareCheck } from "../../../../src/guard/evidence/share-check.ts";
import { createChance } from "../../../../src/guard/simulate/chance.ts";
import { createGuardCounting } from "../../../../src/guard/window/counting.ts";
import type { Decided, ExchangeRecord } from "../../../../src/proxy/witness.ts";
import { initialState } from "../../../../src/state/rules/model.ts";
import { recordOf } from "../../../support/exchange-record.ts";
import { createManualTime, epoch } from "../../../support/manual-time.ts";

const times = { blockMs: 2000, quickAfterMs: 1000, lateAfterMs: 10_000 };

const attempts = { attempts: true, starts: false, ends: false, assigns: false };

function create() {
  const time = createManualTime();
  const counting = createGuardCounting(time, time.monotonic);
  return { time, counting, witness: counting.witness("checkout", times, attempts) };
}

type Attempt = Partial<Pick<Decided, "bucket" | "pin" | "cohort" | "visit">> & {
  readonly reason?: Decided["decision"]["reason"];
  readonly side?: "legacy" | "new";
  readonly percent?: number;
  readonly version?: number;
  readonly arrivedAt?: number;
};

/** Bucket 10 is on new from 1% on. */
function attempt({
  reason = "bucket",
  side = "new",
  percent = 5000,
  version = 1,
  ...more
}: Attempt = {}): ExchangeRecord {
  const state = { ...initialState(), version, percentThousandths: percent };
  const decided: Decided = {
    decision: { side, reason },
    state,
    bucket: 10,
    pin: undefined,
    keys: [],
    named: new Set(),
    carried: false,
    shopper: undefined,
    begun: undefined,
    ...more,
  };
  return recordOf({ side, decided, arrivedAt: more.arrivedAt ?? 0 });
}

const pin = (side: "legacy" | "new", startedAt: number) => ({
  id: "a",
  side,
  epoch: 0,
  startedAt,
  expiresAt: 0,
});

const visit = (beganAt: number) => ({ side: "new" as const, version: 1, beganAt, expiresAt: 0 });

function unitsOf({ counting }: ReturnType<typeof create>) {
  const [block] = counting.reports().checkout ?? [];
  return block === undefined ? [0, 0] : [block.legacy.units, block.onNew.units];
}

test.each<[string, Attempt, number[]]>([
  ["by its bucket on new", {}, [0, 1]],
  ["by its bucket on legacy", { bucket: 90_000, side: "legacy" }, [1, 0]],
  ["by a journey of this step", { reason: "journey", pin: pin("new", epoch / 1000) }, [0, 1]],
  ["a payment, by its order's owner", { reason: "owner", pin: pin("new", epoch / 1000 + 1) }, [0, 1]],
  ["by a journey of an older step", { reason: "journey", pin: pin("new", epoch / 1000 - 1) }, [0, 0]],
  ["by a visit of this step", { reason: "visit", visit: visit(epoch / 1000) }, [0, 1]],
  ["by a visit of an older step", { reason: "visit", visit: visit(epoch / 1000 - 1) }, [0, 0]],
  [
    "by a journey of this step that began in a visit of an older one",
    { reason: "journey", pin: pin("new", epoch / 1000 + 9), visit: visit(epoch / 1000 - 1) },
    [0, 0],
  ],
  ["by an owner without a journey", { reason: "owner" }, [0, 0]],
  [
    "where its bucket would not go",
    { reason: "journey", bucket: 90_000, pin: pin("new", epoch / 1000) },
    [0, 0],
  ],
  ["forced", { reason: "forced" }, [0, 0]],
  ["of a cohort that has a side", { cohort: { name: "staff", side: "new", startThousandths: 0 } }, [0, 0]],
  ["without a shopper", { bucket: undefined, side: "legacy", reason: "anonymous" }, [0, 0]],
])("an attempt %s", (_, told, units) => {
  const parts = create();
  parts.witness.decided?.(attempt(told));
  expect(unitsOf(parts)).toEqual(units);
});

test("failures are the outcomes of the error rate; a first attempt that fell back is one", () => {
  for (const [outcome, failed] of [
    ["server_error", 1],
    ["gave_up", 1],
    ["ok", 0],
    ["client_aborted", 0],
  ] as const) {
    const { counting, witness } = create();
    witness.decided?.(attempt());
    witness.settled?.(attempt(), outcome);
    expect(counting.reports().checkout?.[0]?.onNew.quick).toHaveLength(failed);
  }
  const { counting, witness } = create();
  witness.decided?.(attempt());
  witness.fellBack?.(attempt(), "connect_failed", "connect_failed");
  witness.decided?.(attempt({ side: "legacy", reason: "fallback" }));
  witness.settled?.(attempt({ side: "legacy", reason: "fallback" }), "ok");
  expect(counting.reports().checkout?.[0]).toMatchObject({
    legacy: { units: 0 },
    onNew: { units: 1, quick: [10] },
  });
});

test("what was decided before a step does not fail in it, and who failed before counts anew", async () => {
  const { time, counting, witness } = create();
  const before = attempt();
  witness.decided?.(before);
  witness.settled?.(before, "server_error");
  await time.advance(2000);
  const late = attempt({ arrivedAt: 2000, bucket: 11 });
  witness.decided?.(late);
  const next = attempt({ arrivedAt: 2000, version: 2, percent: 10_000 });
  witness.decided?.(next);
  witness.settled?.(late, "server_error");
  witness.settled?.(next, "server_error");
  expect(counting.reports().checkout?.[1]?.onNew).toMatchObject({ units: 2, quick: [10] });
});

test("the same times are the same windows, other times others", () => {
  const { counting, witness } = create();
  witness.decided?.(attempt());
  counting.witness("checkout", { ...times }, attempts).decided?.(attempt({ bucket: 11 }));
  expect(counting.reports().checkout).toMatchObject([{ onNew: { units: 2 } }]);
  counting.witness("checkout", { ...times, blockMs: 1000 }, attempts);
  expect(counting.reports().checkout).toEqual([]);
});

test("a journey that began while too much was unpaid on new counts on neither side, also once it is open again", () => {
  const created = create();
  const { witness } = created;
  const legacy = { bucket: 90_000, side: "legacy" } as const;
  witness.decided?.(attempt({ ...legacy, reason: "exposure" }));
  expect(unitsOf(created)).toEqual([0, 0]);
  const before = epoch / 1000 - 1;
  witness.decided?.(attempt({ ...legacy, reason: "journey", pin: pin("legacy", before) }));
  witness.decided?.(attempt({ reason: "journey", pin: pin("new", before) }));
  expect(unitsOf(created)).toEqual([0, 0]);
  witness.decided?.(attempt({ ...legacy, reason: "journey", pin: pin("legacy", epoch / 1000) }));
  expect(unitsOf(created)).toEqual([1, 0]);
});

describe("the share of new shoppers", () => {
  /** So many shoppers of a splitter that sends this share of them to new, whatever their buckets say. */
  function assigned(shoppers: number, share: number | "as configured", percent = 10) {
    const time = createManualTime();
    const counting = createGuardCounting(time, time.monotonic);
    const on = { attempts: false, starts: false, ends: false, assigns: true };
    const witness = counting.witness("checkout", times, on);
    const chance = createChance(7);
    const check = createShareCheck();
    for (let n = 0; n < shoppers; n += 1) {
      const bucket = bucketOf("checkout:", `shopper-${n}`);
      const isNew = share === "as configured" ? bucket < percent * 1000 : chance.uniform() < share;
      const side = isNew ? "new" : "legacy";
      // Whoever comes again is no new shopper.
      for (let again = 0; again < 3; again += 1) {
        witness.decided?.(attempt({ bucket, side, percent: percent * 1000 }));
      }
    }
    for (const { of = "", assigned: rows = [] } of counting.reports().checkout ?? []) {
      check.block([{ of, rows }], false);
    }
    return check.finding();
  }

  test("is as configured where buckets say so, at each percent", () => {
    for (const percent of [1, 10, 50, 99]) {
      const found = assigned(20_000, "as configured", percent);
      expect(found).toMatchObject({ configured: percent / 100, isOff: false });
      expect(found?.assigned).toBeGreaterThan(15_000);
    }
  });

  test("is off where a splitter is biased, told after some hundreds of shoppers", () => {
    expect(assigned(2000, 0.15)).toMatchObject({ configured: 0.1, isOff: true });
    expect(assigned(2000, 0.013)).toMatchObject({ isOff: true });
    expect(assigned(20_000, 0.365, 50)).toMatchObject({ isOff: true });
  });

  test("is checked anew in each step, and of each percent by itself; once off it stays so until the next", () => {
    const check = createShareCheck();
    check.block([{ of: "", rows: [[10_000, 50, 50]] }], true);
    expect(check.finding()).toMatchObject({ assigned: 100, onNew: 50, isOff: true });
    check.block([{ of: "jakarta", rows: [[40_000, 600, 400]] }], false);
    check.block([{ of: "", rows: [[10_000, 5000, 500]] }], false);
    const kept = createShareCheck(JSON.parse(JSON.stringify(check.state())));
    for (const each of [check, kept]) expect(each.finding()).toMatchObject({ of: "", isOff: true });
    check.block([{ of: "", rows: [[20_000, 80, 20]] }], true);
    expect(check.finding()).toMatchObject({ configured: 0.2, assigned: 100, isOff: false });
  });
});
