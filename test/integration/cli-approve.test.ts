/** Four eyes at the command line, and the start of an instance that nobody would have to sign in to. */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { proposalView } from "../../src/admin/api/write.ts";
import type { AuthConfig } from "../../src/config/auth-schema.ts";
import { secrets, startAdmin, tokens } from "../support/admin-fixture.ts";
import { runCutover } from "../support/cutover.ts";
import { runOnPaper } from "../support/paper-terminal.ts";

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const secondAdmin = "cutover_second_admin";

async function limited() {
  const sha256 = createHash("sha256").update(secondAdmin).digest("hex");
  const second = { name: "second-admin", role: "admin", sha256 } as const;
  const auth: AuthConfig = { tokens: [...(tokens === "none" ? [] : (tokens.tokens ?? [])), second] };
  const fixture = await startAdmin({ auth, approvalOver: 10 });
  endings.push(() => fixture.close());
  const as = (role: keyof typeof secrets) => ({
    env: { CUTOVER_ADMIN_URL: fixture.url, CUTOVER_TOKEN: secrets[role] },
  });
  return { fixture, as };
}

test("a large raise is proposed: exit 4 and the words for the other person, who approves it", async () => {
  const { fixture, as } = await limited();
  const proposed = await runOnPaper(
    ["set", "checkout", "50", "--reason", "step 4", "--confirm=50"],
    as("operator"),
  );
  expect(proposed).toMatchObject({
    code: 4,
    stdout: expect.stringMatching(/^checkout: 50% is proposed, and waits \d+ s for another person\n$/),
    stderr: expect.stringContaining("cutover approve checkout "),
  });
  expect((await runOnPaper(["status", "checkout"], as("viewer"))).stdout).toContain(
    "50% is proposed by operator-token",
  );
  const by = ["approve", "checkout", "--percent", "50"];
  const own = await runOnPaper(by, as("operator"));
  expect(own).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/another person has to approve it\n.*role operator and another name/),
  });
  expect(await runOnPaper(by, as("admin"))).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("checkout: 50% → legacy 50% / new 50%, version 1, "),
    stderr: "",
  });
  expect(await fixture.store.history("checkout", 1)).toMatchObject([
    { by: "operator-token, approved by admin-token", reason: "step 4" },
  ]);
  expect(await runOnPaper(by, as("admin"))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no such proposal is open"),
  });
});

test("whoever approved a close by force was not told of the force, and by its dry run was to be asked to confirm it", async () => {
  const { fixture, as } = await limited();
  const actor = { name: "admin-2", role: "admin" } as const;
  const change = { action: "set", percentThousandths: 100_000 } as const;
  await fixture.store.apply({ name: "checkout", change, actor, reason: "" });
  const body = JSON.stringify({ reason: "gone", force: true });
  const headers = { authorization: `Bearer ${secrets.admin}`, "content-type": "application/json" };
  const closed = await fetch(`${fixture.url}/api/v1/cutovers/checkout/close`, {
    method: "POST",
    headers,
    body,
  });
  expect(closed.status).toBe(202);
  const { stdout } = await runOnPaper(["status", "checkout"], as("viewer"));
  expect(stdout.replace(/\s+/g, " ")).toContain(
    "closing legacy for good, which gives up what is under way there, is proposed by admin-token",
  );
  const id = z.object({ id: z.string() }).parse(await closed.json()).id;
  const env = { CUTOVER_ADMIN_URL: fixture.url, CUTOVER_TOKEN: secondAdmin };
  const dry = await runOnPaper(["approve", "checkout", id, "--dry-run"], { env });
  expect(dry).toMatchObject({ code: 0, stderr: "" });
  expect(dry.stdout).toMatch(
    /what legacy has under way is given up\nthere is no way back from it\nnothing was changed\n$/,
  );
  expect(dry.stdout).not.toContain("--confirm");
});

test("--dry-run says that a raise would be a proposal, by the exit code too, and whose it would replace", async () => {
  const { fixture, as } = await limited();
  const dry = (percent: string, ...more: string[]) =>
    runOnPaper(["set", "checkout", percent, "--reason", "r", "--dry-run", ...more], as("operator"));
  const large = await dry("20");
  expect(large).toMatchObject({ code: 4, stderr: "" });
  expect(large.stdout).toContain(
    "it would be a proposal, since a raise by more than 10 points waits for another person: not in force",
  );
  expect(large.stdout).toContain("cutover approve checkout and its id\n");
  expect(large.stdout).not.toContain("take the place");
  expect(JSON.parse((await dry("20", "--json")).stdout)).toMatchObject({
    isProposed: true,
    to: { percent: 20 },
  });
  const small = await dry("10");
  expect(small.code).toBe(0);
  expect(small.stdout).not.toContain("proposal");
  expect(JSON.parse((await dry("10", "--json")).stdout)).toMatchObject({ isProposed: false });

  await runOnPaper(["set", "checkout", "15", "--reason", "r"], as("admin"));
  expect((await dry("20")).stdout).toContain("it would take the place of admin-token's, 15%\n");
  expect(await fixture.store.history("checkout", 1)).toEqual([]);
});

test("--json gives the proposal, and it can be withdrawn", async () => {
  const { as } = await limited();
  const said = await runOnPaper(
    ["set", "checkout", "50", "--reason", "r", "--json", "--confirm=50"],
    as("operator"),
  );
  const { id, percent } = proposalView.parse(z.unknown().parse(JSON.parse(said.stdout)));
  expect([said.code, percent]).toEqual([4, 50]);
  expect(await runOnPaper(["withdraw", "checkout", id], as("responder"))).toMatchObject({
    code: 0,
    stdout: "checkout: withdrawn, the raise to 50% that operator-token proposed\n",
  });
  expect((await runOnPaper(["approve", "checkout", id], as("admin"))).code).toBe(1);
});

test("an admin listener beyond loopback does not start without auth, and is sound with it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-open-"));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "cutover.yaml");
  const text = [
    'listeners: { proxy: { port: 0 }, admin: { host: "0.0.0.0", port: 0 } }',
    "store: 'memory:'",
    "snapshot: off",
    "upstreams: { old: { url: 'http://127.0.0.1:1' } }",
    "default: old",
    "",
  ].join("\n");
  await writeFile(file, text);
  const both = ["serve", "check"].map((command) => runCutover([command, "--config", file], { cwd: folder }));
  for (const refused of await Promise.all(both)) {
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("while auth is none") });
  }
  await writeFile(file, `${text}auth: { tokens: [{ name: a, role: admin, sha256: "${"a".repeat(64)}" }] }\n`);
  expect(await runCutover(["check", "--config", file], { cwd: folder })).toMatchObject({ code: 0 });
});
