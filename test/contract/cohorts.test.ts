/** The percents of cohorts, as every store keeps them. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Proposal } from "../../src/state/rules/approval.ts";
import type { Change } from "../../src/state/rules/model.ts";
import type { Ceiling } from "../../src/state/rules/routing.ts";
import type { Store } from "../../src/state/store/port.ts";
import { applyAll, command, setTo, stateOf } from "../support/commands.ts";
import { fileHarness, type Harness, memoryHarness, redisHarness } from "./harness.ts";

const jakarta = (percent: number): Change => ({
  action: "set",
  percentThousandths: percent * 1000,
  cohort: "jakarta",
});

/** By the configuration jakarta begins at 40, and bandung at 0. */
const starts = () => ({ jakarta: 40_000, bandung: 0 });

describe.each(["memory", "file", "redis"] as const)("the %s store", (kind) => {
  let harness: Harness;
  let store: Store;

  beforeAll(async () => {
    const made = { memory: memoryHarness, file: fileHarness, redis: redisHarness };
    harness = await made[kind]();
  });
  beforeEach(async () => {
    ({ store } = await harness.open(starts));
  });
  afterEach(() => harness.close());
  afterAll(() => harness.end());

  test("sets a cohort's percent, and leaves the cutover's own and the other cohorts' where they stand", async () => {
    const state = await applyAll(store, "checkout", [setTo(10), jakarta(60)]);
    expect(state).toMatchObject({
      percentThousandths: 10_000,
      cohorts: { jakarta: 60_000, bandung: 0 },
      state: "open",
      version: 2,
    });
    expect(await stateOf(store, "checkout")).toEqual(state);
  });

  test("keeps where the configuration has a cohort begin from the first change on", async () => {
    expect(await stateOf(store, "checkout")).not.toHaveProperty("cohorts");
    const state = await applyAll(store, "checkout", [setTo(10)]);
    expect(state.cohorts).toEqual({ jakarta: 40_000, bandung: 0 });
  });

  test("makes no version of a percent at which the configuration has the cohort begin", async () => {
    const applied = await store.apply(command("checkout", jakarta(40)));
    expect(applied).toMatchObject({ accepted: true, changed: false, state: { version: 0 } });
  });

  test("tells of both standings in the history", async () => {
    await applyAll(store, "checkout", [jakarta(60)]);
    expect(await store.history("checkout", 1)).toMatchObject([
      {
        action: "set",
        from: { percentThousandths: 0, cohorts: { jakarta: 40_000, bandung: 0 }, state: "open" },
        to: { percentThousandths: 0, cohorts: { jakarta: 60_000, bandung: 0 }, state: "open" },
      },
    ]);
  });

  test("lets a responder lower a cohort, and not raise it, from where it begins, too", async () => {
    const lower = await store.apply(command("checkout", jakarta(30), {}, "responder"));
    expect(lower).toMatchObject({ accepted: true, state: { cohorts: { jakarta: 30_000 } } });
    const raise = await store.apply(command("checkout", jakarta(31), {}, "responder"));
    expect(raise).toMatchObject({ accepted: false, code: "forbidden" });
  });

  test("refuses a version that is not the state's", async () => {
    await applyAll(store, "checkout", [jakarta(60)]);
    const stale = await store.apply(command("checkout", jakarta(70), { ifVersion: 0 }));
    expect(stale).toMatchObject({ accepted: false, code: "version_conflict" });
  });

  test("takes every cohort to 0 on a rollback, those that nobody has set yet, too, and leaves them there", async () => {
    const rolledBack = await applyAll(store, "checkout", [setTo(50), { action: "rollback" }]);
    expect(rolledBack).toMatchObject({ percentThousandths: 0, cohorts: { jakarta: 0, bandung: 0 } });
    const raise = await store.apply(command("checkout", jakarta(10)));
    expect(raise).toMatchObject({ accepted: false, code: "rolled_back" });
    const resumed = await applyAll(store, "checkout", [{ action: "resume" }]);
    expect(resumed).toMatchObject({ state: "open", cohorts: { jakarta: 0, bandung: 0 } });
  });

  test("holds a cohort where it stands: it is lowered, and not raised", async () => {
    await applyAll(store, "checkout", [jakarta(50), { action: "hold" }, jakarta(20)]);
    const raise = await store.apply(command("checkout", jakarta(30)));
    expect(raise).toMatchObject({ accepted: false, code: "held", state: { cohorts: { jakarta: 20_000 } } });
  });

  test("closes only where every cohort is at 100, too", async () => {
    await applyAll(store, "checkout", [setTo(100), jakarta(100)]);
    const early = await store.apply(command("checkout", { action: "close" }));
    expect(early).toMatchObject({ accepted: false, code: "not_complete" });
    const bandung: Change = { action: "set", percentThousandths: 100_000, cohort: "bandung" };
    expect(await applyAll(store, "checkout", [bandung, { action: "close" }])).toMatchObject({
      state: "closed",
    });
  });

  test("asks for a second person where a cohort is raised by more than one may alone, and counts each by itself", async () => {
    const alone = { fourEyes: { overThousandths: 10_000, windowMs: 3_600_000 } };
    await applyAll(store, "checkout", [setTo(5)]);
    const first = await store.apply(command("checkout", jakarta(48), alone));
    expect(first).toMatchObject({ accepted: true });
    const second = await store.apply(command("checkout", jakarta(52), alone));
    expect(second).toMatchObject({ accepted: false, code: "approval_required" });
    const ofCutover = await store.apply(command("checkout", setTo(10), alone));
    expect(ofCutover).toMatchObject({ accepted: true });
    const version = ofCutover.state.version;
    const proposal: Proposal = {
      ...{ id: "p", action: "set_cohort" as const, cohort: "jakarta", percentThousandths: 90_000, version },
      ...{ by: "bob", reason: "", at: "", expiresAt: "2999-01-01T00:00:00.000Z" },
    };
    await store.propose("checkout", proposal, 60_000);
    const approving = { fourEyes: { overThousandths: 0, proposalId: "p" } };
    const ofOther = await store.apply(command("checkout", setTo(90), approving));
    expect(ofOther).toMatchObject({ accepted: false, code: "approval_required" });
    const approved = await store.apply(command("checkout", jakarta(90), approving));
    expect(approved).toMatchObject({ accepted: true, state: { updatedBy: "bob, approved by ann" } });
    expect(await store.proposal("checkout")).toBeUndefined();
  });

  test("lowers cohorts to what one instance was told alone", async () => {
    await applyAll(store, "checkout", [setTo(50), jakarta(80)]);
    const ceiling: Ceiling = {
      ...{ percentThousandths: 20_000, cohorts: { jakarta: 30_000, bandung: 0 } },
      ...{ state: "held" as const, pinEpoch: 0 },
    };
    expect(await applyAll(store, "checkout", [{ action: "reconciled", ceiling }])).toMatchObject({
      percentThousandths: 20_000,
      cohorts: { jakarta: 30_000, bandung: 0 },
      state: "held",
    });
  });
});
