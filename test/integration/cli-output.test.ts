/** What comes out at a terminal, with --plain and for programs; and what is written to the store's user on the way. */
import { afterEach, expect, test } from "vitest";
import { colourStyle } from "../../src/cli/screen/terminal.ts";
import { secrets, startAdmin, tokens } from "../support/admin-fixture.ts";
import { createPaperTerminal, runOnPaper } from "../support/paper-terminal.ts";
import { until } from "../support/until.ts";

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function admin(options: Parameters<typeof startAdmin>[0] = {}) {
  const fixture = await startAdmin(options);
  endings.push(() => fixture.close());
  return fixture;
}

const colourful = () => ({ ...createPaperTerminal(), isTty: true, style: colourStyle });

test("--plain: no colour and no screen that is redrawn, at a terminal that has both", async () => {
  const { url } = await admin();
  const env = { CUTOVER_ADMIN_URL: url };
  await runOnPaper(["hold", "checkout"], { env });
  const coloured = await runOnPaper(["status"], { env, terminal: colourful() });
  expect(coloured.stdout).toContain("\u001b[");
  const plain = await runOnPaper(["status", "--plain"], { env, terminal: colourful() });
  expect(plain.stdout).not.toContain("\u001b");
  expect(plain.stdout).toContain("HELD");

  for (const more of [["--plain"], ["--json"]]) {
    const terminal = colourful();
    const watching = runOnPaper(["watch", ...more], { env, terminal });
    await until("it has printed the first state", () => terminal.stdout().includes("\n"));
    terminal.stop();
    const { code, stdout } = await watching;
    expect(code).toBe(0);
    expect(stdout).not.toContain("\u001b");
    if (more[0] === "--json") {
      const [first] = stdout.split("\n");
      expect(JSON.parse(first ?? "")).toMatchObject({ event: "snapshot", cutovers: [{ name: "checkout" }] });
    }
  }
});

test("the names there are, for a shell that completes them", async () => {
  const { url } = await admin({ names: ["checkout", "returns"] });
  const env = { CUTOVER_ADMIN_URL: url };
  expect(await runOnPaper(["complete-names"], { env })).toEqual({
    code: 0,
    stdout: "checkout\nreturns\n",
    stderr: "",
  });
});

test("every write is refused with the version it was not made on, and says how it stands", async () => {
  const { url, store } = await admin({ auth: tokens });
  const env = { CUTOVER_ADMIN_URL: url, CUTOVER_TOKEN: secrets.admin };
  for (const words of [
    ["set", "checkout", "5", "--reason", "x"],
    ["rollback", "checkout"],
    ["hold", "checkout"],
    ["resume", "checkout", "--reason", "x"],
    ["close", "checkout", "--reason", "x", "--confirm", "checkout"],
  ]) {
    const { code, stdout, stderr } = await runOnPaper([...words, "--if-version", "7"], { env });
    expect({ code, stdout }, words[0]).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("refused (version_conflict)");
    expect(stderr).toContain("It stands at 0%, open, version 0.");
    expect(stderr).toContain("Look: cutover history checkout");
  }
  expect(await store.history("checkout", 1)).toEqual([]);
});

test("a dry run of every write sends nothing, for each role as the rule book has it", async () => {
  const { url, store } = await admin({ auth: tokens });
  const codes: Record<string, number[]> = {};
  for (const role of ["viewer", "responder", "operator", "admin"] as const) {
    const env = { CUTOVER_ADMIN_URL: url, CUTOVER_TOKEN: secrets[role] };
    for (const [verb = "", ...words] of [
      ["set", "5", "--reason", "x"],
      ["hold"],
      ["rollback", "--hard"],
      ["resume", "--reason", "x"],
      ["close", "--reason", "x"],
    ]) {
      const { code } = await runOnPaper([verb, "checkout", ...words, "--dry-run"], { env });
      codes[verb] = [...(codes[verb] ?? []), code];
    }
  }
  expect(codes).toEqual({
    set: [1, 1, 0, 0],
    hold: [1, 0, 0, 0],
    rollback: [1, 0, 0, 0],
    resume: [1, 1, 0, 0],
    // Nobody closes at 0%.
    close: [1, 1, 1, 1],
  });
  expect(await store.history("checkout", 1)).toEqual([]);
});
