/** An older version of the program, built as it was, in a folder of the test's own. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "./cutover.ts";

/** Where no tag tells a version: the last commit before claims were tentative and pins could be reserved. */
const untagged = "ca0c573";

/** @returns the commit that was asked for (CUTOVER_UPGRADE_FROM), else the last tag, else one that is named here */
export function olderCommit(): string {
  const asked = process.env.CUTOVER_UPGRADE_FROM;
  if (asked !== undefined) return asked;
  const { status, stdout } = spawnSync("git", ["describe", "--tags", "--abbrev=0"], {
    cwd: checkout,
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : untagged;
}

/**
 * Packages are those of this checkout where both want the same, else they are installed.
 *
 * @returns the folder of the checkout @throws Error where git does not have the commit, or it cannot be built
 */
export function buildOlder(commit: string, folder: string): string {
  const at = join(folder, commit.replaceAll("/", "-"));
  mkdirSync(at);
  // Not a worktree: that would outlive a test that is killed.
  run("sh", ["-c", 'git archive "$0" | tar -x -C "$1"', commit, at], checkout);
  const lock = (root: string) => readFileSync(join(root, "package-lock.json"), "utf8");
  if (lock(at) === lock(checkout)) symlinkSync(join(checkout, "node_modules"), join(at, "node_modules"));
  else run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], at);
  run("npm", ["run", "--silent", "build"], at);
  return at;
}

function run(program: string, words: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(program, words, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${words[0]} ended with ${status}: ${stderr.slice(-2000)}`);
}
