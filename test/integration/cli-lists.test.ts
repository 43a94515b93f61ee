/** Maintenance and lists at the command line, against a real admin server. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/base/clock.ts";
import { createListDesk } from "../../src/lists/desk.ts";
import { openLists } from "../../src/lists/open.ts";
import { secrets, startAdmin, tokens } from "../support/admin-fixture.ts";
import { applyAll, setTo } from "../support/commands.ts";
import { createPaperTerminal, runOnPaper } from "../support/paper-terminal.ts";
import { createRecordedLog } from "../support/recorded-log.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

describe("cutover maintenance", () => {
  async function fixture() {
    const admin = await startAdmin({ auth: tokens });
    endings.push(() => admin.close());
    const run = (role: keyof typeof secrets, ...words: string[]) =>
      runOnPaper(words, { env: { CUTOVER_ADMIN_URL: admin.url, CUTOVER_TOKEN: secrets[role] } });
    return { admin, run };
  }

  test("is set until a moment, shown by status and history, warned of by a rollback onto it, and taken off again", async () => {
    const { admin, run } = await fixture();
    await applyAll(admin.store, "checkout", [setTo(25)]);
    const until = inAnHour();
    const set = ["maintenance", "checkout", "legacy", "--until", until, "--reason", "database moves"];
    const made = await run("operator", ...set);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toMatch(/^checkout: legacy in maintenance until .*, version 2, /);
    expect(made.stdout).toContain("callbacks");
    expect((await run("operator", ...set)).stdout).toContain("nothing to change, already");
    expect((await run("viewer", "status", "checkout")).stdout).toContain("! legacy is in maintenance until ");
    const rolledBack = await run("responder", "rollback", "checkout", "--reason", "errors");
    expect(rolledBack.code).toBe(0);
    expect(rolledBack.stdout).toContain(`! legacy is in maintenance until ${until}`);
    const history = (await run("viewer", "history", "checkout")).stdout;
    expect(history).toContain(`maintenance: legacy ${until}`);
    const off = ["maintenance", "checkout", "legacy", "--off", "--reason", "done"];
    expect(await run("operator", ...off)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("legacy serves again"),
    });
    const status = JSON.parse((await run("viewer", "status", "checkout", "--json")).stdout);
    expect([status].flat()[0].maintenance).toBeUndefined();
  });

  test("says what is wrong with what was typed, and sends nothing", async () => {
    const { admin, run } = await fixture();
    const until = ["--until", "2h", "--reason", "r"];
    const wrong: [string[], number, string][] = [
      [["maintenance", "checkout", "both", ...until], 2, "expected legacy or new"],
      [["maintenance", "checkout", "legacy", "--reason", "r"], 2, "either --until TIME or --off"],
      [["maintenance", "checkout", "legacy", "--off", ...until], 2, "either --until TIME or --off"],
      [["maintenance", "checkout", "legacy", "--until", "yesterday"], 2, "expected a duration such as 2h"],
      [["maintenance", "checkout", "legacy", "--until", "2020-01-01T00:00:00Z"], 2, "a time to come"],
      [["maintenance", "checkout", "legacy", "--until", "2h"], 2, "needs a reason"],
      [["maintenance", "checkout", "legacy", "--until", "60d", "--reason", "r"], 1, "within 31 days"],
      [["maintenance", "chekout", "legacy", ...until], 1, "did you mean checkout?"],
    ];
    for (const [words, code, said] of wrong) {
      const told = await run("operator", ...words);
      expect(told.code, words.join(" ")).toBe(code);
      expect(told.stderr.replace(/\s+/g, " "), words.join(" ")).toContain(said);
    }
    expect(await run("responder", "maintenance", "checkout", "legacy", ...until)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("forbidden"),
    });
    const dry = await run("operator", "maintenance", "checkout", "new", ...until, "--dry-run");
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing was changed") });
    expect(await admin.store.history("checkout", 10)).toEqual([]);
  });
});

describe("cutover list", () => {
  async function fixture(members: "plain" | "digests" = "plain", over?: number) {
    const [clock, log] = [systemClock, createRecordedLog()];
    const options = { url: "memory:", redis: undefined, prefix: "cutover", snapshot: undefined };
    const lists = await openLists({ ...options, clock, timers: systemTimers, log });
    const approval = over === undefined ? {} : { approval: { over, ttl: 60_000 } };
    const declared = { staff: { members, ...approval } };
    lists.keeper.follow(["staff"]);
    endings.push(() => lists.keeper.stop());
    const desk = createListDesk({ ...lists, declared: () => declared, clock });
    const admin = await startAdmin({ auth: tokens, lists: desk });
    endings.push(() => admin.close());
    const folder = await mkdtemp(join(tmpdir(), "cutover-list-"));
    endings.push(() => rm(folder, { recursive: true }));
    const run = (role: keyof typeof secrets, ...words: string[]) =>
      runOnPaper(["list", ...words], { env: { CUTOVER_ADMIN_URL: admin.url, CUTOVER_TOKEN: secrets[role] } });
    return { run, folder, has: (member: string) => lists.keeper.has("staff", member), log, admin };
  }

  test("puts members on, takes them off, tells whether one is on it and what was changed", async () => {
    const { run, has, log } = await fixture();
    expect(await run("viewer", "staff")).toMatchObject({
      code: 0,
      stdout: "staff: 0 on it, version 0\nnever changed\n",
    });
    const added = await run("operator", "staff", "--add", "u-1", "u-2", "--reason", "second shift");
    expect(added).toMatchObject({ code: 0, stdout: "staff: 2 on it, version 1\n", stderr: "" });
    expect([has("u-1"), has("u-2"), has("u-3")]).toEqual([true, true, false]);
    expect((await run("viewer", "staff", "--has", "u-2")).stdout).toBe("u-2 is on staff\n");
    await run("operator", "staff", "--remove", "u-2", "--reason", "left");
    expect((await run("viewer", "staff", "--has", "u-2")).stdout).toBe("u-2 is not on staff\n");
    expect((await run("viewer", "staff", "--history")).stdout).toMatch(
      /^v2 .* \+0 -1 .*operator-token {2}left\nv1 .* \+2 -0 /,
    );
    expect(JSON.stringify(log)).not.toContain("u-1");
  });

  test("imports a file of 20,500 lines in parts, and the same again changes nothing", async () => {
    const { run, folder, has, admin } = await fixture();
    const env = { CUTOVER_ADMIN_URL: admin.url, CUTOVER_TOKEN: secrets.operator };
    const file = join(folder, "members.txt");
    const members = Array.from({ length: 20_500 }, (_, n) => `seller-${n}`);
    await writeFile(file, `${members.join("\r\n")}\n\nseller-1\n`);
    const imported = await run("operator", "staff", "--import", file, "--reason", "first wave");
    expect(imported).toMatchObject({ code: 0, stderr: "" });
    expect(imported.stdout).toContain("20,500 members read; staff: 20,500 on it, version 2");
    expect(members.filter((member) => !has(member))).toEqual([]);
    expect((await run("viewer", "staff", "--history")).stdout).toContain("first wave (part 2 of 2)");
    const terminal = { ...createPaperTerminal(), isTty: true };
    const watched = await runOnPaper(["list", "staff", "--import", file, "--reason", "seen"], {
      env,
      terminal,
    });
    expect(watched.stderr.split("\r").slice(1)).toEqual([
      `[${"#".repeat(29)}-] 20,000 of 20,500`,
      `[${"#".repeat(30)}] 20,500 of 20,500\n`,
    ]);
    const again = await run("operator", "staff", "--import", file, "--reason", "once more");
    expect(again.stdout).toContain("nothing to change, 20,500 on it, version 2");
    const removed = await run("operator", "staff", "--import-remove", file, "--reason", "back");
    expect(removed.stdout).toContain("staff: 0 on it");
  }, 30_000);

  test("who stands in a file of a spreadsheet is on the list: behind its BOM, and between spaces", async () => {
    const { run, folder, has } = await fixture();
    const file = join(folder, "sheet.txt");
    await writeFile(file, "\ufeffu-1\r\nu-2 \t\r\n u-3\r\n   \r\nJosé\r\n");
    const imported = await run("operator", "staff", "--import", file, "--reason", "first wave");
    expect(imported.stdout).toContain("4 members read; staff: 4 on it");
    const bytes = Buffer.from("José").toString("latin1");
    expect(["u-1", "u-2", "u-3", bytes].map((member) => has(member))).toEqual([true, true, true, true]);
    // Such names would be others than requests have.
    await writeFile(file, Buffer.from("u-4\nJos\xe9\n", "latin1"));
    expect(await run("operator", "staff", "--import", file, "--reason", "second")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("line 2 is no UTF-8"),
    });
    expect(has("u-4")).toBe(false);
  });

  test("with four eyes the second person makes it by the same command, whichever way they are named", async () => {
    const { run, folder, has } = await fixture("plain", 1);
    expect(await run("operator", "staff", "--add", "u-0", "--reason", "one")).toMatchObject({ code: 0 });
    const add = ["staff", "--add", "u-1", "u-2", "--reason", "two"];
    for (let time = 0; time < 2; time += 1) {
      expect(await run("operator", ...add)).toMatchObject({
        code: 4,
        stderr: expect.stringContaining("waits for another person"),
      });
      expect(has("u-1")).toBe(false);
    }
    const file = join(folder, "same.txt");
    await writeFile(file, "u-2\nu-1\n");
    expect(await run("admin", "staff", "--import", file, "--reason", "seen")).toMatchObject({ code: 0 });
    expect([has("u-1"), has("u-2")]).toEqual([true, true]);
    expect((await run("viewer", "staff", "--history")).stdout).toContain(
      "operator-token, approved by admin-token",
    );
  });

  test("takes digests alone where it is so configured, and of a file sends no more", async () => {
    const { run, folder, has } = await fixture("digests");
    expect(await run("operator", "staff", "--add", "u-1", "--reason", "r")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("64 or 16 hex digits"),
    });
    const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(await run("operator", "staff", "--add", digest, "--reason", "r")).toMatchObject({ code: 0 });
    expect(has("abc")).toBe(true);
    const file = join(folder, "names.txt");
    await writeFile(file, "u-1\nu-2\n");
    expect(await run("operator", "staff", "--import", file, "--reason", "r")).toMatchObject({ code: 0 });
    expect(has("u-2")).toBe(true);
  });

  test("is refused to a responder, without a reason, of a name nobody has declared, and of a file that is not there", async () => {
    const { run, folder, has } = await fixture();
    const add = ["--add", "u-1", "--reason", "r"];
    expect(await run("responder", "staff", ...add)).toMatchObject({ code: 1 });
    expect(await run("operator", "staff", "--add", "u-1")).toMatchObject({ code: 2 });
    expect(await run("operator", "staf", ...add)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no such list: did you mean staff\?\n.*lists, in the configuration/),
    });
    const missing = join(folder, "nobody.txt");
    expect(await run("operator", "staff", "--import", missing, "--reason", "r")).toMatchObject({ code: 1 });
    const broken = join(folder, "broken.txt");
    await writeFile(broken, "ba7816bf8f01cfea\nnone\n");
    const told = await run("operator", "staff", "--import", broken, "--digests", "--reason", "r");
    expect(told).toMatchObject({ code: 1, stderr: expect.stringContaining("line 2 is no digest") });
    expect(has("u-1")).toBe(false);
  });
});
