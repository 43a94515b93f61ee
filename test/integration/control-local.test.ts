/** Rolling back and holding without the store: on one instance at once, on all of them when the store is back. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { accepted } from "../support/admin-api.ts";
import { type Fleet, type Member, startFleet } from "../support/fleet.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { eventually } from "../support/until.ts";

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ hasLinks: true, shape: (name) => ({ snapshot: `${name}.json` }) });
});
afterAll(() => fleet.stop());

const health = (member: Member) => member.api.metric("cutover_store_up");

async function knowsLoss(member: Member): Promise<void> {
  await eventually("the loss to be known", async () => (await health(member)) === 0, 5000);
}

/** How long it takes until all decide alike by one version. */
async function agreed(members: readonly Member[], withinMs = 5000): Promise<number> {
  return eventually(
    "all to agree",
    async () => {
      const views = await Promise.all(members.map(({ api }) => api.view()));
      const standing = views.map(({ percent, state, version, scope }) =>
        JSON.stringify({ percent, state, version, scope }),
      );
      return new Set(standing).size === 1 && views.every(({ scope }) => scope === "fleet");
    },
    withinMs,
  );
}

/** All three live, open and at that percent, whatever was before. @returns the version that says so */
async function standAt(percent: number): Promise<number> {
  const [first] = fleet.members;
  await eventually("all to be live", async () => (await first.api.view()).instances.live === 3, 10_000);
  await agreed(fleet.members);
  await first.api.call("resume");
  const { version, applied } = accepted(await first.api.set(percent, { waitMs: 10_000 }));
  expect(applied).toMatchObject({ instances: 3, of: 3 });
  return version;
}

/** What was done from that version on, the latest first. */
async function actionsFrom(member: Member, version: number): Promise<readonly string[]> {
  const entries = await member.api.history();
  return entries.filter((entry) => entry.version >= version).map(({ action }) => action);
}

const cli = (member: Member) => ({ env: { CUTOVER_ADMIN_URL: member.served.admin } });

describe("one instance is cut off", () => {
  test("with onStale: hold the answer names it, and says that nobody can tell when it is over", async () => {
    const version = await standAt(50);
    const [first, , cutOff] = fleet.members;
    cutOff.link.cut();
    onTestFinished(() => cutOff.link.heal());
    const live = async () => (await first.api.view()).instances.live;
    await eventually("its lease to end", async () => (await live()) === 2, 5000);
    // It waits as it is told, whatever comes of it: nobody can say how long the cut off one goes on.
    const rolledBack = await first.api.call("rollback", { waitMs: 300 });
    expect(rolledBack.ms).toBeGreaterThanOrEqual(300);
    expect(rolledBack.answer?.applied).toMatchObject({
      instances: 2,
      of: 2,
      complete: false,
      completeBy: null,
      lagging: [{ id: cutOff.served.id, version, leaseEndsAt: null }],
    });
    const told = await runOnPaper(["rollback", "checkout", "--wait", "300ms"], cli(first));
    expect(told.code).toBe(4);
    expect(told.stderr).toContain(cutOff.served.id);
    expect(told.stderr).toContain("if it is cut off it goes on by that");
    expect(told.stderr).toMatch(/kill -USR1 \d+\n/);
    // A raise is not held up by it: what it goes on by is less.
    await first.api.call("resume");
    expect((await first.api.set(10)).answer?.applied).toMatchObject({ complete: true, lagging: [{}] });
  });

  test("what it was told wins over what the others raised meanwhile", async () => {
    const version = await standAt(50);
    const [first, second, cutOff] = fleet.members;
    cutOff.link.cut();
    onTestFinished(() => cutOff.link.heal());
    await knowsLoss(cutOff);
    await cutOff.api.call("rollback");
    const raised = await first.api.set(80, { waitMs: 0 });
    expect(raised.answer).toMatchObject({ percent: 80, version: version + 1 });

    cutOff.link.heal();
    const ms = await agreed(fleet.members);
    process.stdout.write(`all agreed ${Math.round(ms)} ms after the partition was healed\n`);
    expect(await second.api.view()).toMatchObject({ percent: 0, state: "rolled_back", version: version + 2 });
    expect(await actionsFrom(first, version)).toEqual(["reconciled", "set", "set"]);
  });

  test("a hold wins with the percent it was made at, and is resumed like any other", async () => {
    const version = await standAt(30);
    const [first, second, cutOff] = fleet.members;
    cutOff.link.cut();
    onTestFinished(() => cutOff.link.heal());
    await knowsLoss(cutOff);
    expect((await cutOff.api.call("hold")).answer).toMatchObject({ percent: 30, state: "held" });
    await first.api.set(80, { waitMs: 0 });
    cutOff.link.heal();
    await agreed(fleet.members);
    expect(await second.api.view()).toMatchObject({ percent: 30, state: "held", version: version + 2 });

    const resumed = await cutOff.api.call("resume");
    expect(resumed.answer).toMatchObject({ state: "open", version: version + 3 });
    expect((await cutOff.api.set(60, { waitMs: 5000 })).answer?.applied).toMatchObject({ complete: true });
    expect((await cutOff.shop.visit("s")).version).toBe(version + 4);
  });
});

describe("Redis is gone", () => {
  test("the command line says that it is this one instance, and ends with 4", async () => {
    await standAt(100);
    const [first] = fleet.members;
    await fleet.redis.kill();
    onTestFinished(() => fleet.redis.restart());
    await knowsLoss(first);
    const told = await runOnPaper(["rollback", "checkout"], cli(first));
    expect(told.code).toBe(4);
    expect(told.stdout).toMatch(/^checkout: rolled back → .*on this one instance alone in \d+ ms: the store/);
    expect(told.stderr).toContain("Tell every other instance: cutover rollback checkout --admin-url URL");
    expect((await runOnPaper(["status"], cli(first))).stdout).toContain("! on this instance alone");
  });

  test("not known to be gone yet: the store's own bound first, then the instance by itself", async () => {
    const version = await standAt(100);
    const [first] = fleet.members;
    fleet.redis.freeze();
    onTestFinished(() => fleet.redis.thaw());
    const rolledBack = await first.api.call("rollback");
    expect(rolledBack.answer?.applied.scope).toBe("local");
    expect(rolledBack.ms).toBeLessThan(2500);
    expect((await first.shop.visit("s")).side).toBe("legacy");
    fleet.redis.thaw();
    await agreed(fleet.members);
    expect(await actionsFrom(first, version)).toEqual(["reconciled", "set"]);
  });

  test("it survives a restart in the snapshot file, and is out of the file once it is reconciled", async () => {
    const version = await standAt(100);
    const [first, , third] = fleet.members;
    fleet.redis.freeze();
    onTestFinished(() => fleet.redis.thaw());
    await knowsLoss(first);
    await first.api.call("rollback");
    const file = join(fleet.folder, "a.json");
    await eventually(
      "it to be written",
      async () => (await readFile(file, "utf8")).includes('"local"'),
      1000,
    );

    await first.restart();
    expect(await first.api.view()).toMatchObject({ scope: "local", state: "rolled_back", version });
    expect((await first.shop.visit("s")).side).toBe("legacy");
    fleet.redis.thaw();
    await agreed(fleet.members);
    expect(await third.api.view()).toMatchObject({ percent: 0, state: "rolled_back", version: version + 1 });
    await eventually("it to be gone", async () => !(await readFile(file, "utf8")).includes('"local"'), 2000);
    await first.restart();
    expect(await first.api.view()).toMatchObject({
      scope: "fleet",
      state: "rolled_back",
      version: version + 1,
    });
    expect(await actionsFrom(first, version)).toEqual(["reconciled", "set"]);
  });
});
