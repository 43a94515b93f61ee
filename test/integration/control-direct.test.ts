/** When no admin API answers: straight to the store, or a signal to the process. */

import { readFile } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { writeDirectly } from "../../src/instance/direct.ts";
import { runCutover } from "../support/cutover.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { eventually } from "../support/until.ts";

/** The command in this process, past the admin API as main.ts has it. */
const runDirect = (argv: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runOnPaper(argv, { env, engine: { direct: writeDirectly } });

const password = "s3cret/with@signs";

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ shape: (name) => ({ snapshot: `${name}.json` }) });
});
afterAll(() => fleet.stop());
beforeEach(async () => {
  const [first] = fleet.members;
  await first.api.call("resume");
  await first.api.set(100, { waitMs: 5000 });
});

describe("--direct", () => {
  test("rolls back through the store, waits for the fleet, and is in the history as direct", async () => {
    const [first, second] = fleet.members;
    const before = await first.api.view();
    const told = await runCutover([
      "rollback",
      "checkout",
      "--direct",
      fleet.redis.url,
      "--reason",
      "3 a.m.",
    ]);
    expect(told).toMatchObject({ code: 0, stderr: "" });
    expect(told.stdout).toMatch(/^checkout: rolled back → .* version \d+, applied on 3 of 3 instances in /);
    expect((await second.shop.visit("s")).side).toBe("legacy");
    const [entry] = await first.api.history();
    expect(entry).toMatchObject({
      version: before.version + 1,
      by: `${userInfo().username}@${hostname()}`,
      action: "rollback",
      reason: "3 a.m.",
    });
  });

  test("takes --all: every cutover that an instance has told the store of, in one answer", async () => {
    const [first] = fleet.members;
    const held = await runDirect(["hold", "--all", "--direct", fleet.redis.url]);
    expect(held).toMatchObject({ code: 0, stderr: "" });
    expect(held.stdout).toMatch(/^checkout: held at 100% → .* applied on 3 of 3 instances/m);
    const back = await runDirect(["rollback", "--all", "--direct", fleet.redis.url, "--json"]);
    expect(JSON.parse(back.stdout)).toMatchObject([{ name: "checkout", state: "rolled_back", percent: 0 }]);
    const [entry] = await first.api.history();
    expect(entry).toMatchObject({ action: "rollback", via: "direct" });
  });

  test("holds; the rules hold for it as for anyone", async () => {
    const direct = ["--direct", fleet.redis.url];
    const held = await runDirect(["hold", "checkout", ...direct, "--json"]);
    expect(held.code).toBe(0);
    expect(JSON.parse(held.stdout)).toMatchObject({
      state: "held",
      percent: 100,
      applied: { complete: true },
    });
    await runDirect(["rollback", "checkout", ...direct]);
    const refused = await runDirect(["hold", "checkout", ...direct]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("refused (rolled_back)");
    const conflict = await runDirect(["rollback", "checkout", "--hard", "--if-version", "1", ...direct]);
    expect(conflict).toMatchObject({ code: 1, stderr: expect.stringContaining("version_conflict") });
  });

  test("makes nothing of a name that nobody knows", async () => {
    const told = await runDirect(["rollback", "chekout", "--direct", fleet.redis.url]);
    expect(told).toMatchObject({ code: 1, stderr: expect.stringContaining("There are: checkout") });
    expect(await fleet.redis.cli("EXISTS", "cutover:{chekout}")).toBe(0);
    const elsewhere = await runDirect([
      "rollback",
      "checkout",
      "--direct",
      fleet.redis.url,
      "--prefix",
      "other",
    ]);
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining("the right --prefix") });
  });

  test("takes URL and password from the environment, and shows neither", async () => {
    await fleet.redis.cli("ACL", "SETUSER", "responder", "on", `>${password}`, "~cutover:*", "&*", "+@all");
    const url = fleet.redis.url.replace("redis://", "redis://responder@");
    const env = { CUTOVER_STORE_URL: url, CUTOVER_STORE_PASSWORD: password };
    const told = await runCutover(["rollback", "checkout", "--direct"], { env });
    expect(told).toMatchObject({ code: 0, stderr: "" });
    const wrong = { ...env, CUTOVER_STORE_PASSWORD: `${password}x` };
    const refused = await runDirect(["rollback", "checkout", "--direct"], wrong);
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("the store answers WRONGPASS"),
    });
    for (const { stdout, stderr } of [told, refused]) expect(stdout + stderr).not.toContain("s3cret");
    const noUrl = await runDirect(["rollback", "checkout", "--direct", `http://x:${password}@h`]);
    expect(noUrl).toMatchObject({ code: 2, stderr: expect.not.stringContaining("s3cret") });
  });

  test("says so when the store is out of reach as well", async () => {
    const told = await runDirect(["rollback", "checkout", "--direct", "redis://127.0.0.1:1"]);
    expect(told).toMatchObject({ code: 3, stdout: "" });
    expect(told.stderr).toContain("ECONNREFUSED");
    expect(told.stderr).toContain("kill -USR1 PID");
  });
});

describe("SIGUSR1", () => {
  test("rolls back on that instance at once, without the store, and on all when it is back", async () => {
    const [first, second, third] = fleet.members;
    fleet.redis.freeze();
    first.served.signal("SIGUSR1");
    const ms = await eventually(
      "the rollback",
      async () => (await first.shop.visit("s")).side === "legacy",
      1000,
    );
    process.stdout.write(`SIGUSR1 in force in ${ms.toFixed(0)} ms\n`);
    expect((await second.shop.visit("s")).side).toBe("new");
    expect(await first.api.view()).toMatchObject({ scope: "local", updatedBy: "SIGUSR1" });
    const log = await readFile(join(fleet.folder, "a.log"), "utf8");
    expect(log).toContain("SIGUSR1: rolling back every cutover on this instance");
    expect(log).not.toContain("Debugger listening");

    fleet.redis.thaw();
    const rolledBack = async () => (await third.api.view()).state === "rolled_back";
    await eventually("all to be rolled back", rolledBack, 5000);
    expect((await third.api.history())[0]).toMatchObject({ action: "reconciled", by: "SIGUSR1" });
  });

  test("with the store in reach the fleet follows at once", async () => {
    const [first, second] = fleet.members;
    first.served.signal("SIGUSR1");
    await eventually("it", async () => (await second.api.view()).state === "rolled_back", 1000);
    expect(await second.api.view()).toMatchObject({ updatedBy: "SIGUSR1", percent: 0 });
  });
});
