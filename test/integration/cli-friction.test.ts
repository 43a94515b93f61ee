/** What asks before it is done, and every cutover in one command: at the command line. */
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import type { CutoverUnderWay } from "../../src/ownership/under-way/figures.ts";
import { secrets, startAdmin, tokens } from "../support/admin-fixture.ts";
import { applyAll, setTo } from "../support/commands.ts";
import { createPaperTerminal, runOnPaper } from "../support/paper-terminal.ts";

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const startedAt = Math.floor(Date.now() / 1000) - 14 * 60;
const counts = (count: number) => ({
  count,
  atLeast: false,
  oldestStartedAt: count === 0 ? undefined : startedAt,
  ...(count === 0 ? {} : { oldest: [{ id: "j1", startedAt }] }),
});
const busy: CutoverUnderWay = {
  journeys: { legacy: counts(3), new: counts(0) },
  orders: { legacy: counts(0), new: counts(0) },
};

async function at100(more: Parameters<typeof startAdmin>[0] = {}) {
  const fixture = await startAdmin(more);
  endings.push(() => fixture.close());
  await applyAll(fixture.store, "checkout", [setTo(100)]);
  return { fixture, env: { CUTOVER_ADMIN_URL: fixture.url } };
}
const closing = ["close", "checkout", "--reason", "a month at 100"];

test("close asks to type the name; a script gives it, and nothing else closes", async () => {
  const { fixture, env } = await at100();
  const stands = async () => (await fixture.store.history("checkout", 1))[0]?.action;
  expect(await runOnPaper(closing, { env })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--confirm checkout"),
  });
  expect(await runOnPaper([...closing, "--confirm", "search"], { env })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--confirm says search"),
  });
  expect(await runOnPaper(closing, { env, terminal: createPaperTerminal("yes") })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("not confirmed: nothing was changed"),
  });
  expect(await stands()).toBe("set");
  const typed = await runOnPaper(closing, { env, terminal: createPaperTerminal("checkout") });
  expect(typed).toMatchObject({ code: 0, stdout: expect.stringContaining("checkout: closed → ") });
  expect(typed.stderr).toContain("This closes legacy of checkout for good (now 100%, open, version 1)");
  expect(await stands()).toBe("close");
});

test("close and its dry run list what legacy has under way; --force gives it up", async () => {
  const { env } = await at100({ underWay: async () => new Map([["checkout", busy]]) });
  const dry = await runOnPaper([...closing, "--dry-run"], { env });
  expect(dry).toMatchObject({ code: 1, stdout: "" });
  expect(dry.stderr).toContain("dry run: it would be refused (under_way)");
  expect(dry.stderr).toContain("legacy has 3 journeys under way, the oldest begun 14 min ago");
  expect(dry.stderr).toMatch(/\n {4}journey j1, begun 2\S+Z\n {4}and 2 more\n/);
  expect(dry.stderr).toContain("legacy has 0 unfinished orders\n");
  expect(JSON.parse((await runOnPaper([...closing, "--dry-run", "--json"], { env })).stdout)).toMatchObject({
    refused: "under_way",
    journeys: { legacy: { open: 3 } },
  });
  const forced = await runOnPaper([...closing, "--dry-run", "--force"], { env });
  expect(forced).toMatchObject({ code: 0 });
  expect(forced.stdout).toContain("legacy has 3 journeys under way");
  expect(forced.stdout).toContain("it asks to be confirmed: --confirm checkout");

  const refused = await runOnPaper([...closing, "--confirm", "checkout"], { env });
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toMatch(
    /refused \(under_way\): legacy has 3 journeys under way, the oldest since 2/,
  );
  expect(refused.stderr).toMatch(/journey j1, begun 2\S+Z\n\s+and 2 more\n/);
  expect(refused.stderr).toContain("--force");
  const done = await runOnPaper([...closing, "--confirm", "checkout", "--force"], { env });
  expect(done).toMatchObject({ code: 0 });
});

test("approve approved whatever was open by then: it names its proposal, and says first what it would do", async () => {
  const fixture = await startAdmin({ auth: tokens, approvalOver: 10 });
  endings.push(() => fixture.close());
  const as = (role: keyof typeof secrets) => ({
    env: { CUTOVER_ADMIN_URL: fixture.url, CUTOVER_TOKEN: secrets[role] },
  });
  const propose = (percent: string) =>
    runOnPaper(
      ["set", "checkout", percent, "--reason", "r", "--json", `--confirm=${percent}`],
      as("operator"),
    );
  const id = z.object({ id: z.string() }).parse(JSON.parse((await propose("40")).stdout)).id;
  const bare = await runOnPaper(["approve", "checkout"], as("admin"));
  expect(bare.code).toBe(2);
  expect(bare.stderr).toContain("40% is proposed by operator-token: r");
  expect(bare.stderr).toContain(
    `cutover approve checkout ${id}\n  or: cutover approve checkout --percent 40`,
  );

  // Meanwhile another one took its place.
  await propose("90");
  for (const named of [[id], ["--percent", "40"], [id, "--percent", "90"]]) {
    const refused = await runOnPaper(["approve", "checkout", ...named], as("admin"));
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Open is 90% by operator-token"),
    });
  }
  const by90 = ["approve", "checkout", "--percent", "90"];
  const dry = await runOnPaper([...by90, "--dry-run"], as("admin"));
  expect(dry).toMatchObject({ code: 0, stderr: "" });
  expect(dry.stdout).toContain("dry run: checkout would go from 0%, open, version 0 to 90%, open, version 1");
  expect(dry.stdout).not.toContain("proposal");
  expect(await runOnPaper([...by90, "--dry-run"], as("operator"))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("dry run: it would be refused (forbidden): another person"),
  });
  expect(await fixture.store.history("checkout", 1)).toEqual([]);
  expect(await runOnPaper(by90, as("admin"))).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("checkout: 90% → "),
  });
});

test("rollback --all and hold --all are one command and one answer", async () => {
  const fixture = await startAdmin({ names: ["checkout", "search", "gone"] });
  endings.push(() => fixture.close());
  const env = { CUTOVER_ADMIN_URL: fixture.url };
  await applyAll(fixture.store, "checkout", [setTo(20)]);
  await applyAll(fixture.store, "gone", [setTo(100), { action: "close" }]);

  for (const [argv, says] of [
    [["rollback"], "rollback needs a cutover's name, or --all"],
    [["hold", "checkout", "--all"], "a name and --all were given"],
    [["rollback", "--all", "--if-version", "1"], "--if-version is of one cutover"],
  ] as const) {
    expect(await runOnPaper(argv, { env })).toMatchObject({ code: 2, stderr: expect.stringContaining(says) });
  }
  const dry = await runOnPaper(["rollback", "--all", "--dry-run", "--json"], { env });
  expect(JSON.parse(dry.stdout)).toMatchObject([
    { name: "checkout" },
    { name: "search" },
    { refused: "closed" },
  ]);

  const held = await runOnPaper(["hold", "--all"], { env });
  expect(held).toMatchObject({ code: 0, stderr: "" });
  expect(held.stdout.split("\n")).toMatchObject([
    expect.stringContaining("checkout: held at 20% → legacy 80% / new 20%"),
    expect.stringContaining("search: held at 0% → "),
    expect.stringContaining("gone: left as it is: 100%, CLOSED, version 2"),
    "",
  ]);
  const back = await runOnPaper(["rollback", "--all", "--json", "--reason", "double charges"], { env });
  expect(back.code).toBe(0);
  expect(JSON.parse(back.stdout)).toMatchObject([
    { name: "checkout", state: "rolled_back" },
    { name: "search", state: "rolled_back" },
    { name: "gone", refused: { code: "closed" } },
  ]);
  expect(await fixture.store.history("checkout", 1)).toMatchObject([
    { reason: "double charges", via: "api" },
  ]);
});
