/** One of three instances cut off from the store: what a rollback says of it, and whether it keeps to it. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { WriteAnswer } from "../../src/admin/api/write.ts";
import { type Fleet, type Member, startFleet } from "../support/fleet.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import type { Visit } from "../support/traffic.ts";
import { eventually } from "../support/until.ts";

const staleAfterMs = 4000;
const leaseMs = 3000;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    hasLinks: true,
    shape: (name) => ({ snapshot: `${name}.json`, staleAfter: `${staleAfterMs}ms`, onStale: "legacy" }),
  });
});
afterAll(() => fleet.stop());
beforeEach(async () => {
  const [first, ...rest] = fleet.members;
  for (const { link } of fleet.members) link.heal();
  await eventually("all to be live", async () => (await first.api.view()).instances.live === 3, 5000);
  await first.api.call("resume");
  const raised = await first.api.set(100, { waitMs: 10_000 });
  expect(raised.answer?.applied).toMatchObject({ instances: 3, of: 3, complete: true, lagging: [] });
  for (const { shop } of [first, ...rest]) expect((await shop.visit("s")).side).toBe("new");
});

interface Timed extends Visit {
  /** Wall clock before anything of the request was sent; the store's clock is this machine's. */
  readonly at: number;
}

/** One shopper after the other, every few milliseconds, for as long as `goesOn`. */
async function visits(member: Member, goesOn: (at: number) => boolean): Promise<readonly Timed[]> {
  const made: Timed[] = [];
  for (let shopper = 0; ; shopper++) {
    const at = Date.now();
    if (!goesOn(at)) return made;
    made.push({ at, ...(await member.shop.visit(`shopper-${shopper}`)) });
    await sleep(2);
  }
}

function ofFleet({ answer }: { answer: WriteAnswer | undefined }): WriteAnswer["applied"] {
  if (answer === undefined) throw new Error("refused");
  return answer.applied;
}

test("the answer names it and when it is over; from that millisecond on nothing new starts on new", async () => {
  const [first, , cutOff] = fleet.members;
  for (const phaseMs of [0, 333, 777]) {
    const before = await first.api.view();
    if (before.state !== "open") {
      await first.api.call("resume");
      await first.api.set(100, { waitMs: 10_000 });
    }
    await sleep(phaseMs);
    cutOff.link.cut();
    const cutAt = Date.now();
    const applied = ofFleet(await first.api.call("rollback", { waitMs: 0 }));
    expect(applied).toMatchObject({ scope: "fleet", complete: false });
    expect(applied.lagging.map(({ id }) => id)).toContain(cutOff.served.id);

    const answered = ofFleet(await first.api.call("rollback", { waitMs: 1000 }));
    const [named, ...others] = answered.lagging;
    expect(others).toEqual([]);
    if (named?.leaseEndsAt == null) throw new Error("no end of its lease");
    expect(named.id).toBe(cutOff.served.id);
    expect(answered.completeBy).toBe(named.leaseEndsAt);
    const end = Date.parse(named.leaseEndsAt);
    expect(end - Date.parse(named.seenAt)).toBe(Math.ceil(staleAfterMs * 1.001) + 1);
    // Its last record was written before it was cut off, at most a heartbeat (and a busy machine's delay) ago.
    expect(cutAt - Date.parse(named.seenAt)).toBeLessThan(2000);

    const seen = await visits(cutOff, (at) => at < end + 1500);
    expect(seen.filter(({ fault }) => fault !== undefined)).toEqual([]);
    const onNew = seen.filter(({ side }) => side === "new");
    const last = Math.max(...onNew.map(({ at }) => at));
    const after = seen.filter(({ at }) => at >= end);
    process.stdout.write(
      `cut off at phase ${phaseMs} ms: ${onNew.length} of ${seen.length} visits on new, the last begun ` +
        `${end - last} ms before the end of its lease; ${after.length} after it, on new: ` +
        `${after.filter(({ side }) => side === "new").length}\n`,
    );
    expect(onNew.length).toBeGreaterThan(0);
    expect(after.length).toBeGreaterThan(10);
    expect(new Set(after.map(({ side, reason }) => `${side} ${reason}`))).toEqual(new Set(["legacy stale"]));

    cutOff.link.heal();
    await eventually("it to follow", async () => (await cutOff.api.view()).state === "rolled_back", 5000);
  }
}, 60_000);

test("rollback --wait ends when the silent one's lease does: exit 0; without the time for it: exit 4", async () => {
  const [first, , cutOff] = fleet.members;
  const setting = { env: { CUTOVER_ADMIN_URL: first.served.admin } };
  cutOff.link.cut();
  const hasty = await runOnPaper(["rollback", "checkout", "--wait", "200ms"], setting);
  expect(hasty.code).toBe(4);
  expect(hasty.stderr).toContain(cutOff.served.id);
  expect(hasty.stderr).toMatch(/starts nothing on new after \d\d:\d\d:\d\d/);
  expect(hasty.stderr).toMatch(/Complete everywhere by \d\d:\d\d:\d\d at the latest/);
  const said = async () => {
    const { stdout } = await runOnPaper(["status", "checkout"], setting);
    return stdout.replaceAll(/\s+/g, " ");
  };
  await eventually(
    "status to say of the silent one",
    async () => (await said()).includes("one silent for"),
    5000,
  );
  expect(await said()).toMatch(
    /! applied on 2 of 3, one silent for \d s, starts new journeys on new until \d\d:\d\d:\d\d: \S+:\d+ at 127\.0\.0\.1:\d+, pid \d+/,
  );

  const patient = await runOnPaper(["rollback", "checkout", "--wait", "60s", "--json"], setting);
  const endedAt = Date.now();
  expect(patient).toMatchObject({ code: 0, stderr: "" });
  const { applied } = JSON.parse(patient.stdout);
  expect(applied).toMatchObject({ complete: true, instances: 2, of: 2, lagging: [{ id: cutOff.served.id }] });
  const lateMs = endedAt - Date.parse(applied.completeBy);
  process.stdout.write(`--wait 60s ended ${lateMs} ms after the lease\n`);
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(lateMs).toBeLessThan(2000);
  expect((await cutOff.shop.visit("s")).side).toBe("legacy");
});

test("an instance that comes back in time ends the wait", async () => {
  const [first, , cutOff] = fleet.members;
  cutOff.link.cut();
  const pending = first.api.call("rollback", { waitMs: 20_000 });
  await sleep(500);
  cutOff.link.heal();
  const applied = ofFleet(await pending);
  expect(applied).toMatchObject({ complete: true, instances: 3, of: 3, lagging: [] });
  expect(applied.ms).toBeLessThan(staleAfterMs);
});

test("what was written by hand and is not followed, and under a key without braces, is quoted by status", async () => {
  const [first] = fleet.members;
  const setting = { env: { CUTOVER_ADMIN_URL: first.served.admin } };
  await fleet.redis.cli("HSET", "cutover:{checkout}", "percent", "none");
  await fleet.redis.cli("HSET", "cutover:checkout", "percent", "0");
  const said = async () => (await runOnPaper(["status"], setting)).stdout.replaceAll(/\s+/g, " ");
  await eventually("it to be refused", async () => (await said()).includes("nobody follows"), 5000);
  expect(await said()).toContain('! the store holds percent "none", which nobody follows');
  expect(await said()).toContain(
    "! the store holds cutover:checkout, which nobody reads: the key has braces, cutover:{checkout}",
  );
  await fleet.redis.cli("DEL", "cutover:checkout");
  await fleet.redis.cli("HSET", "cutover:{checkout}", "percent", "0%");
  await eventually("it to be followed", async () => (await first.api.view()).percent === 0, 5000);
  expect(await said()).toContain("! 0% was set by hand in the store and is followed; it does not latch");
});

test("a killed instance is known as silent until its lease is over; one that left is not", async () => {
  const [first, second, third] = fleet.members;
  await third.served.kill();
  const killed = ofFleet(await first.api.call("rollback", { waitMs: 0 }));
  expect(killed.lagging.map(({ id }) => id)).toContain(third.served.id);
  expect(await second.served.stop()).toBe(0);
  const left = ofFleet(await first.api.call("rollback", { waitMs: 0 }));
  expect(left.lagging.map(({ id }) => id)).toEqual([third.served.id]);
  await eventually(
    "it to be forgotten",
    async () => ofFleet(await first.api.call("rollback", { waitMs: 0 })).lagging.length === 0,
    staleAfterMs + leaseMs + 1000,
  );
  // The store has forgotten it; whoever asks how things stand hears of it all the same.
  const { instances, warnings } = await first.api.view();
  expect(instances).toMatchObject({
    live: 1,
    applied: 1,
    silent: [{ id: third.served.id, pid: expect.any(Number) }],
  });
  expect(warnings.map(({ code }) => code)).toContain("instances_silent");
});
