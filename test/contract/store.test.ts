/** What every store does alike. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../src/base/errors.ts";
import type { Proposal } from "../../src/state/rules/approval.ts";
import type { InstanceRecord } from "../../src/state/rules/completion.ts";
import {
  type Change,
  type CutoverState,
  changeActions,
  initialState,
  type Role,
  roles,
  type StateName,
  stateNames,
  transition,
} from "../../src/state/rules/model.ts";
import type { Ceiling } from "../../src/state/rules/routing.ts";
import { historyLimit } from "../../src/state/store/document.ts";
import type { Store } from "../../src/state/store/port.ts";
import { applyAll, command, noneKnown, setTo, stateOf } from "../support/commands.ts";
import { until } from "../support/until.ts";
import { fileHarness, type Harness, memoryHarness, redisHarness, type StoreUnderTest } from "./harness.ts";

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** How each state is come to. */
const wayTo: Record<StateName, readonly Change[]> = {
  open: [setTo(40)],
  held: [setTo(40), { action: "hold" }],
  rolled_back: [setTo(40), { action: "rollback" }],
  closed: [setTo(100), { action: "close" }],
};

function everyChange(current: CutoverState): readonly Change[] {
  return changeActions.flatMap((action): readonly Change[] => {
    if (action === "maintain") {
      return [
        { action, side: "legacy", until: "2026-03-01T14:00:00.000Z" },
        { action, side: "new", until: null },
      ];
    }
    if (action !== "set") return [{ action }];
    return [0, current.percentThousandths, 100_000].map((percentThousandths) => ({
      action,
      percentThousandths,
    }));
  });
}

const noProposal: Proposal = {
  id: "x",
  percentThousandths: 0,
  version: 0,
  by: "",
  reason: "",
  at: "",
  expiresAt: "",
};

function record(id: string, versions: Record<string, number> = {}): InstanceRecord {
  const at = "2026-01-01T00:00:00.000Z";
  return { id, startedAt: at, seenAt: at, versions, traffic: { checkout: { requests: 1 } } };
}

describe.each(["memory", "file", "redis"] as const)("the %s store", (kind) => {
  let harness: Harness;
  let tested: StoreUnderTest;
  let store: Store;

  beforeAll(async () => {
    const made = { memory: memoryHarness, file: fileHarness, redis: redisHarness };
    harness = await made[kind]();
  });
  beforeEach(async () => {
    tested = await harness.open();
    store = tested.store;
  });
  afterEach(() => harness.close());
  afterAll(() => harness.end());

  test("says what kind it is", () => {
    expect(store.kind).toBe(kind);
  });

  test("begins every cutover open at 0, version 0, and tells of each one asked for", async () => {
    const loaded = await store.load(["checkout", "returns"], noneKnown);
    expect([...loaded.states]).toEqual([
      ["checkout", initialState()],
      ["returns", initialState()],
    ]);
    expect(loaded.rejections).toEqual([]);
    expect(loaded.restored).toEqual([]);
    expect((await store.load([], noneKnown)).states.size).toBe(0);
  });

  test("keeps until when each side is maintained, through every other change, and says so in the history", async () => {
    const until = "2026-03-01T14:00:00.000Z";
    const off = { action: "maintain", side: "legacy", until: null } as const;
    await applyAll(store, "checkout", [setTo(40), { action: "maintain", side: "legacy", until }]);
    await applyAll(store, "checkout", [{ action: "maintain", side: "new", until }, { action: "rollback" }]);
    const both = `legacy ${until} new ${until}`;
    expect(await stateOf(store, "checkout")).toMatchObject({
      state: "rolled_back",
      version: 4,
      maintenance: both,
    });
    const again = await store.apply(command("checkout", { action: "maintain", side: "new", until }));
    expect(again).toMatchObject({ accepted: true, changed: false, state: { version: 4 } });
    await applyAll(store, "checkout", [off, { ...off, side: "new" }]);
    expect((await stateOf(store, "checkout")).maintenance).toBeUndefined();
    const told = (await store.history("checkout", 10)).map(({ action, to }) => [action, to.maintenance]);
    expect(told).toEqual([
      ["maintain", undefined],
      ["maintain", `new ${until}`],
      ["rollback", both],
      ["maintain", both],
      ["maintain", `legacy ${until}`],
      ["set", undefined],
    ]);
    expect(await store.apply(command("checkout", off, {}, "responder"))).toMatchObject({ code: "forbidden" });
  });

  test("answers a change with the state it made, and loads that state", async () => {
    const applied = await store.apply(command("checkout", setTo(12.345), { reason: "a trial: “ß”" }));
    expect(applied).toMatchObject({
      accepted: true,
      changed: true,
      state: {
        percentThousandths: 12_345,
        state: "open",
        pinEpoch: 0,
        version: 1,
        updatedBy: "ann",
        reason: "a trial: “ß”",
      },
    });
    expect(applied.state.updatedAt).toMatch(rfc3339);
    expect(await stateOf(store, "checkout")).toEqual(applied.state);
  });

  test("keeps cutovers apart", async () => {
    await applyAll(store, "checkout", [setTo(50)]);
    expect(await stateOf(store, "returns")).toEqual(initialState());
    expect(await store.history("returns", 10)).toEqual([]);
  });

  test("makes no version and no history of a change that changes nothing", async () => {
    const first = await applyAll(store, "checkout", [setTo(50)]);
    const again = await store.apply(command("checkout", setTo(50), { reason: "once more" }));
    expect(again).toEqual({ accepted: true, changed: false, state: first });
    expect(await store.apply(command("returns", setTo(0)))).toEqual({
      accepted: true,
      changed: false,
      state: initialState(),
    });
    expect(await store.history("checkout", 10)).toHaveLength(1);
    expect(await store.history("returns", 10)).toEqual([]);
  });

  test("answers a refusal with its code and the state there is", async () => {
    const held = await applyAll(store, "checkout", [setTo(50), { action: "hold" }]);
    const refused = await store.apply(command("checkout", setTo(60)));
    expect(refused).toEqual({ accepted: false, code: "held", state: held });
    expect(await stateOf(store, "checkout")).toEqual(held);
  });

  test("changes only the version that was asked for", async () => {
    const first = await applyAll(store, "checkout", [setTo(50)]);
    expect(await store.apply(command("checkout", setTo(60), { ifVersion: 0 }))).toEqual({
      accepted: false,
      code: "version_conflict",
      state: first,
    });
    expect(await store.apply(command("checkout", setTo(60), { ifVersion: 1 }))).toMatchObject({
      changed: true,
      state: { version: 2 },
    });
    expect(await store.apply(command("returns", setTo(1), { ifVersion: 0 }))).toMatchObject({
      changed: true,
    });
  });

  test.each(stateNames)("judges every role and every change in %s as the rule book does", async (name) => {
    for (const [index, role] of roles.entries()) {
      const known = await applyAll(store, `${name}-${index}`, wayTo[name]);
      for (const [at, change] of everyChange(known).entries()) {
        const cutover = `${name}-${index}-${at}`;
        const current = await applyAll(store, cutover, wayTo[name]);
        const actor = { name: "ann", role };
        const applied = await store.apply(command(cutover, change, {}, role));
        const request = { change, actor, reason: "because", at: applied.state.updatedAt };
        const judged = transition(current, request);
        const label = `${role} ${JSON.stringify(change)}`;
        expect(applied, label).toEqual(
          judged.accepted
            ? { accepted: true, changed: judged.changed, state: judged.next }
            : { accepted: false, code: judged.code, state: current },
        );
        expect(await stateOf(store, cutover), label).toEqual(applied.state);
      }
    }
  });

  describe("a raise that needs a second person", () => {
    const fourEyes = { overThousandths: 10_000 };
    const proposal = (id: string, percent: number, version: number, by = "ann"): Proposal => ({
      id,
      percentThousandths: percent * 1000,
      version,
      by,
      reason: "step 2",
      at: "2026-01-01T00:00:00.000Z",
      expiresAt: "2026-01-01T00:30:00.000Z",
    });
    const raise = (percent: number, actor: string, proposalId?: string, role: Role = "operator") =>
      store.apply({
        name: "checkout",
        change: setTo(percent),
        actor: { name: actor, role },
        reason: "step 2",
        fourEyes: proposalId === undefined ? fourEyes : { overThousandths: 0, proposalId },
      });

    test("is refused to one alone beyond the limit, after what the rules refuse anyway", async () => {
      const state = await applyAll(store, "checkout", [setTo(20)]);
      expect(await raise(30.001, "bob")).toEqual({ accepted: false, code: "approval_required", state });
      expect(await raise(30.001, "bob", undefined, "responder")).toMatchObject({ code: "forbidden" });
      expect(await raise(30, "bob")).toMatchObject({ changed: true, state: { updatedBy: "bob" } });
      expect(await raise(0, "bob")).toMatchObject({ changed: true, state: { percentThousandths: 0 } });
      await applyAll(store, "checkout", [{ action: "hold" }]);
      expect(await raise(50, "bob")).toMatchObject({ code: "held" });
    });

    test("is refused when several by one person within the window are too many together, and not after it", async () => {
      const within = (percent: number, actor: string, windowMs: number) =>
        store.apply({
          name: "checkout",
          change: setTo(percent),
          actor: { name: actor, role: "operator" },
          reason: "r",
          fourEyes: { ...fourEyes, windowMs },
        });
      const hour = 3_600_000;
      expect(await within(6, "ann", hour)).toMatchObject({ changed: true });
      expect(await within(10, "ann", hour)).toMatchObject({ changed: true });
      expect(await within(10.001, "ann", hour)).toMatchObject({ code: "approval_required" });
      expect(await within(20, "bob", hour)).toMatchObject({ changed: true });
      expect(await within(0, "ann", hour)).toMatchObject({ changed: true });
      expect(await within(1, "ann", hour)).toMatchObject({ code: "approval_required" });
      await tested.pass(5);
      expect(await within(1, "ann", 1)).toMatchObject({ changed: true });
    });

    test("is not approved by a proposal to raise at a time, or to start a plan", async () => {
      await applyAll(store, "checkout", [setTo(20)]);
      for (const action of ["schedule", "plan"] as const) {
        const dueAt = "2026-01-02T00:00:00.000Z";
        const other: Proposal = { ...proposal("p1", 50, 1), action, ...(action === "plan" ? {} : { dueAt }) };
        await store.propose("checkout", other, 60_000);
        expect(await store.proposal("checkout")).toEqual(other);
        expect(await raise(50, "bob", "p1")).toMatchObject({ code: "approval_required" });
      }
    });

    test("a close needs one too, however far one may raise alone, and it is a proposal to close", async () => {
      await applyAll(store, "checkout", [setTo(100)]);
      const close = (actor: string, proposalId?: string) =>
        store.apply({
          name: "checkout",
          change: { action: "close" },
          actor: { name: actor, role: "admin" },
          reason: "r",
          fourEyes: { overThousandths: 100_000, ...(proposalId === undefined ? {} : { proposalId }) },
        });
      expect(await close("ann")).toMatchObject({ code: "approval_required" });
      await store.propose("checkout", proposal("p1", 100, 1), 60_000);
      expect(await close("bob", "p1")).toMatchObject({ code: "approval_required" });
      const toClose: Proposal = { ...proposal("p2", 100, 1), action: "close", force: true };
      await store.propose("checkout", toClose, 60_000);
      expect(await store.proposal("checkout")).toEqual(toClose);
      expect(await close("ann", "p2")).toMatchObject({ code: "approval_required" });
      expect(await close("bob", "p2")).toMatchObject({
        changed: true,
        state: { state: "closed", updatedBy: "ann, approved by bob" },
      });
      expect(await store.proposal("checkout")).toBeUndefined();
      expect(await close("ann")).toMatchObject({ accepted: true, changed: false });
    });

    test("is made of another person's open proposal, once, in the name of both", async () => {
      await applyAll(store, "checkout", [setTo(20)]);
      await store.propose("checkout", proposal("p1", 50, 1), 60_000);
      expect(await store.proposal("checkout")).toEqual(proposal("p1", 50, 1));
      expect(await raise(50, "bob", "p1")).toMatchObject({
        changed: true,
        state: {
          percentThousandths: 50_000,
          version: 2,
          updatedBy: "ann, approved by bob",
          reason: "step 2",
        },
      });
      expect(await store.history("checkout", 1)).toMatchObject([
        { by: "ann, approved by bob", action: "set" },
      ]);
      expect(await store.proposal("checkout")).toBeUndefined();
      expect(await raise(90, "bob", "p1")).toMatchObject({ code: "approval_required" });
    });

    test("is not made by who proposed it, by a role that may not raise, or of anything that does not fit", async () => {
      await applyAll(store, "checkout", [setTo(20)]);
      await store.propose("checkout", proposal("p1", 50, 1), 60_000);
      expect(await raise(50, "ann", "p1")).toMatchObject({ code: "approval_required" });
      expect(await raise(51, "bob", "p1")).toMatchObject({ code: "approval_required" });
      expect(await raise(50, "bob", "p2")).toMatchObject({ code: "approval_required" });
      expect(await raise(50, "bob", "p1", "responder")).toMatchObject({ code: "forbidden" });
      expect(await store.proposal("checkout")).toEqual(proposal("p1", 50, 1));
      await applyAll(store, "checkout", [setTo(21)]);
      expect(await raise(50, "bob", "p1")).toMatchObject({ code: "approval_required" });
    });

    test("is replaced, withdrawn by its id, and gone when its time is up", async () => {
      await store.propose("checkout", proposal("p1", 50, 0), 60_000);
      await store.propose("checkout", proposal("p2", 60, 0), 60_000);
      expect(await raise(50, "bob", "p1")).toMatchObject({ code: "approval_required" });
      expect(await store.withdraw("checkout", "p1")).toBe(false);
      expect(await store.withdraw("checkout", "p2")).toBe(true);
      expect(await store.withdraw("checkout", "p2")).toBe(false);
      expect(await store.proposal("returns")).toBeUndefined();
      await store.propose("checkout", proposal("p3", 50, 0), 100);
      await tested.pass(150);
      expect(await store.proposal("checkout")).toBeUndefined();
      expect(await raise(50, "bob", "p3")).toMatchObject({ code: "approval_required" });
    });

    test("is made once when two approve at the same time", async () => {
      await store.propose("checkout", proposal("p1", 50, 0), 60_000);
      const both = await Promise.all([raise(50, "bob", "p1"), raise(50, "cid", "p1")]);
      expect(both.filter((applied) => applied.accepted && applied.changed)).toHaveLength(1);
      expect((await store.history("checkout", 10)).map(({ version }) => version)).toEqual([1]);
    });
  });

  test.each([-1, 100_001, 0.5, Number.NaN])(
    "throws for %d thousandths and changes nothing",
    async (wrong) => {
      const change = { action: "set", percentThousandths: wrong } as const;
      await expect(store.apply(command("checkout", change))).rejects.toThrow(RangeError);
      expect(await stateOf(store, "checkout")).toEqual(initialState());
    },
  );

  test("tells the history newest first, at most as much as was asked for", async () => {
    const changes: readonly Change[] = [
      setTo(50),
      { action: "hold" },
      { action: "resume" },
      { action: "rollback_hard" },
    ];
    await applyAll(store, "checkout", changes);
    const history = await store.history("checkout", 10);
    expect(history.map((entry) => [entry.version, entry.action])).toEqual([
      [4, "rollback_hard"],
      [3, "resume"],
      [2, "hold"],
      [1, "set"],
    ]);
    expect(history[0]).toEqual({
      version: 4,
      at: (await stateOf(store, "checkout")).updatedAt,
      by: "ann",
      action: "rollback_hard",
      from: { percentThousandths: 50_000, state: "open" },
      to: { percentThousandths: 0, state: "rolled_back" },
      reason: "because",
    });
    expect(await store.history("checkout", 2)).toEqual(history.slice(0, 2));
    expect(await store.history("checkout", 0)).toEqual([]);
  });

  test("takes back from the caller what it has lost, and goes on from that version", async () => {
    const lastGood = { ...initialState(), percentThousandths: 30_000, version: 17, updatedBy: "ann" };
    const loaded = await store.load(["checkout", "returns"], new Map([["checkout", lastGood]]));
    expect(loaded.restored).toEqual(["checkout"]);
    expect(loaded.states.get("checkout")).toEqual(lastGood);
    expect(await stateOf(store, "checkout")).toEqual(lastGood);
    expect((await store.load(["checkout"], new Map([["checkout", lastGood]]))).restored).toEqual([]);
    expect(await store.apply(command("checkout", setTo(31)))).toMatchObject({ state: { version: 18 } });
  });

  test("takes back what it has lost at a change, too", async () => {
    const lastGood = { ...initialState(), percentThousandths: 30_000, version: 17, updatedBy: "ann" };
    const applied = await store.apply(command("checkout", setTo(30), { lastGood }));
    expect(applied).toEqual({ accepted: true, changed: false, state: lastGood });
    expect(await stateOf(store, "checkout")).toEqual(lastGood);
  });

  test("keeps its own state against an older one and against one no change can have made", async () => {
    const older = await applyAll(store, "checkout", [setTo(1), setTo(2)]);
    const state = await applyAll(store, "checkout", [setTo(3)]);
    const impossible: CutoverState = { ...older, state: "rolled_back", version: 9 };
    for (const lastGood of [older, impossible, initialState()]) {
      const loaded = await store.load(["checkout"], new Map([["checkout", lastGood]]));
      expect(loaded).toMatchObject({ restored: [], states: new Map([["checkout", state]]) });
    }
  });

  test("gives a hint after each change until it is told to stop", async () => {
    let hints = 0;
    let others = 0;
    const stop = store.subscribe(() => {
      hints += 1;
    });
    const stopOther = store.subscribe(() => {
      others += 1;
    });
    await applyAll(store, "checkout", [setTo(1)]);
    await until("a hint", () => hints > 0 && others > 0);
    stop();
    const [before, othersBefore] = [hints, others];
    await applyAll(store, "checkout", [setTo(2)]);
    await until("a hint to the other", () => others > othersBefore);
    expect(hints).toBe(before);
    stopOther();
  });

  test("lists live instances by id, each with its last record", async () => {
    await store.acknowledge(record("b"));
    await store.acknowledge(record("a", { checkout: 1 }));
    await store.acknowledge(record("a", { checkout: 2 }));
    expect(await store.instances()).toEqual([record("a", { checkout: 2 }), record("b")]);
    await store.leave("a");
    await store.leave("never was");
    expect(await store.instances()).toEqual([record("b")]);
  });

  test("drops an instance that has been silent for its lease", async () => {
    await store.acknowledge(record("a"));
    expect(await store.instances()).toHaveLength(1);
    await tested.passLease();
    expect(await store.instances()).toEqual([]);
  });

  test("remembers a silent instance until it is stale and a lease more, with the time of its last record", async () => {
    const stale = { afterMs: 400, legacy: ["checkout"] };
    await store.acknowledge({ ...record("b", { checkout: 2 }), stale });
    await store.acknowledge(record("a", { checkout: 1 }));
    await store.acknowledge(record("gone"));
    await store.leave("gone");
    const before = await store.roster();
    expect(before.members.map(({ id, versions, stale }) => ({ id, versions, stale }))).toEqual([
      { id: "a", versions: { checkout: 1 }, stale: undefined },
      { id: "b", versions: { checkout: 2 }, stale },
    ]);
    for (const { seenAtMs } of before.members) {
      expect(seenAtMs).toBeLessThanOrEqual(before.nowMs);
      expect(seenAtMs).toBeGreaterThan(before.nowMs - 1000);
    }
    await tested.passLease();
    expect(await store.instances()).toEqual([]);
    const silent = await store.roster();
    expect(silent.members.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(silent.members.map(({ seenAtMs }) => seenAtMs)).toEqual(
      before.members.map(({ seenAtMs }) => seenAtMs),
    );
    await tested.pass(450);
    expect((await store.roster()).members.map(({ id }) => id)).toEqual(["a"]);
  });

  test("lowers to a ceiling and never raises to one, as one change called reconciled", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    const reconcile = (ceiling: Ceiling) =>
      store.apply(command("checkout", { action: "reconciled", ceiling }, {}, "responder"));
    const held = { percentThousandths: 30_000, state: "held", pinEpoch: 0 } as const;
    expect(await reconcile(held)).toMatchObject({ changed: true, state: { ...held, version: 2 } });
    expect(await reconcile({ ...held, percentThousandths: 90_000 })).toMatchObject({ changed: false });
    const rolledBack = { percentThousandths: 0, state: "rolled_back", pinEpoch: 3 } as const;
    expect(await reconcile(rolledBack)).toMatchObject({
      changed: true,
      state: { ...rolledBack, version: 3 },
    });
    expect(await reconcile(held)).toMatchObject({ changed: false, state: rolledBack });
    expect((await store.history("checkout", 2)).map(({ action }) => action)).toEqual([
      "reconciled",
      "reconciled",
    ]);
    await applyAll(store, "returns", [setTo(100), { action: "close" }]);
    const closed = command("returns", { action: "reconciled", ceiling: rolledBack });
    expect(await store.apply(closed)).toMatchObject({ accepted: false, code: "closed" });
  });

  test.each([
    { percentThousandths: 1, state: "rolled_back", pinEpoch: 0 },
    { percentThousandths: -1, state: "held", pinEpoch: 0 },
    { percentThousandths: 0, state: "held", pinEpoch: 0.5 },
  ] as const)("throws for %j, which no rollback or hold leaves behind", async (ceiling) => {
    const change = { action: "reconciled", ceiling } as const;
    await expect(store.apply(command("checkout", change))).rejects.toThrow(RangeError);
  });

  test("keeps the first value offered under a shared name", async () => {
    const [one, other] = await Promise.all([store.shared("secret", "1"), store.shared("secret", "2")]);
    expect(one).toBe(other);
    expect(await store.shared("secret", "3")).toBe(one);
    expect(await store.shared("another", "4")).toBe("4");
  });

  test("lets one of many writers at the same version win, and loses none of the others' attempts", async () => {
    const changesEach = process.env.CUTOVER_BARS === "full" ? 250 : 5;
    const writers = Array.from({ length: 8 }, (_, writer) => writer);
    const changes = writers.length * changesEach;
    await Promise.all(
      writers.map(async (writer) => {
        for (let done = 0; done < changesEach; ) {
          const current = await stateOf(store, "checkout");
          const change = setTo((current.percentThousandths / 1000 + 1) % 100);
          const more = { ifVersion: current.version, reason: `${writer}` };
          const applied = await store.apply(command("checkout", change, more));
          if (applied.accepted) done += 1;
          else expect(applied.code).toBe("version_conflict");
        }
      }),
    );
    // So many increments, none upon a state that had moved.
    const percentAt = (version: number) => (version % 100) * 1000;
    expect(await stateOf(store, "checkout")).toMatchObject({
      version: changes,
      percentThousandths: percentAt(changes),
    });
    const kept = harness.kind === "redis" ? changes : Math.min(changes, historyLimit);
    const history = await store.history("checkout", changes);
    expect(history.map((entry) => entry.version)).toEqual(
      Array.from({ length: kept }, (_, i) => changes - i),
    );
    for (const { version, from, to } of history) {
      expect([from.percentThousandths, to.percentThousandths]).toEqual([
        percentAt(version - 1),
        percentAt(version),
      ]);
    }
  }, 120_000);

  test("rejects everything with StoreUnavailable once it is closed", async () => {
    await store.close();
    await store.close();
    const calls = [
      () => store.load(["checkout"], noneKnown),
      () => store.apply(command("checkout", setTo(1))),
      () => store.acknowledge(record("a")),
      () => store.leave("a"),
      () => store.instances(),
      () => store.roster(),
      () => store.history("checkout", 1),
      () => store.shared("secret", "1"),
      () => store.proposal("checkout"),
      () => store.propose("checkout", noProposal, 1000),
      () => store.withdraw("checkout", "x"),
      () => store.lease("checkout", "a", 1000),
      () => store.release("checkout", 1),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(StoreUnavailable);
  });
});
