import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOnPaper } from "../../../../support/paper-terminal.ts";

const run = promisify(execFile);
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-completion-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** What bash itself offers after these words, the last of which is being typed. */
async function offered(...words: readonly string[]): Promise<string[]> {
  const { stdout: script } = await runOnPaper(["completion", "bash"]);
  const file = join(folder, "cutover.bash");
  await writeFile(file, script);
  const typed = ["cutover", ...words].map((word) => `'${word}'`).join(" ");
  // As the API would answer; what is asked for is the shell's to say.
  const api = 'cutover() { [ "$*" = complete-names ] && printf "checkout\\nreturns\\n"; }';
  const ask = `${api}; source ${file}; COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _cutover; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["-c", ask]);
  return stdout.split("\n").filter((word) => word !== "");
}

test("bash offers the commands, the options of one, and the values of an option that has few", async () => {
  expect(await offered("ro")).toEqual(["rollback"]);
  expect(await offered("set", "--con")).toEqual(["--confirm"]);
  expect(await offered("rollback", "--ha")).toEqual(["--hard"]);
  expect(await offered("token", "--role", "")).toEqual(["viewer", "responder", "operator", "admin"]);
  expect(await offered("set", "--reason", "")).toEqual([]);
});

test("bash asks the API for the names of cutovers where one comes first, and nowhere else", async () => {
  expect(await offered("rollback", "")).toEqual(["checkout", "returns"]);
  expect(await offered("status", "ret")).toEqual(["returns"]);
  expect(await offered("rollback", "--ha")).toEqual(["--hard"]);
  expect(await offered("rollback", "checkout", "--ha")).toEqual(["--hard"]);
  expect(await offered("token", "")).not.toContain("checkout");
  expect((await runOnPaper(["--help"])).stdout).not.toContain("complete-names");
  // Nobody wants to read of an API out of reach while typing.
  const env = { CUTOVER_ADMIN_URL: "http://127.0.0.1:1" };
  expect(await runOnPaper(["complete-names"], { env })).toEqual({ code: 1, stdout: "", stderr: "" });
});

test("bash takes it from a substitution, registers it for the command, and completes files where it knows nothing", async () => {
  const { stdout: script } = await runOnPaper(["completion", "bash"]);
  const file = join(folder, "substituted.bash");
  await writeFile(file, script);
  const ask = `set -u; source <(cat ${file}); complete -p cutover; COMP_WORDS=(cutover token ''); COMP_CWORD=2; _cutover; echo "\${COMPREPLY[*]}"`;
  const { stdout, stderr } = await run("bash", ["-c", ask]);
  expect(stderr).toBe("");
  const [registered, words] = stdout.split("\n");
  expect(registered).toBe("complete -o default -F _cutover cutover");
  expect(words?.split(" ")).toEqual(expect.arrayContaining(["--json", "--role", "--name", "--help"]));
});

test.each(["zsh", "fish"])("%s is told every command with what it does", async (shell) => {
  const { code, stdout } = await runOnPaper(["completion", shell]);
  expect(code).toBe(0);
  const { stdout: help } = await runOnPaper(["--help"]);
  const names = [...help.matchAll(/^ {2}([a-z]+) \[?/gm)].map(([, name]) => name ?? "");
  expect(names).toContain("rollback");
  for (const name of names.filter((each) => each !== "help")) expect(stdout).toContain(name);
  expect(stdout).toContain("void the journeys that began on new as well");
});

test("another shell is bad usage", async () => {
  expect(await runOnPaper(["completion", "csh"])).toMatchObject({ code: 2, stdout: "" });
});
