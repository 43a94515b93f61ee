/** What a machine that checks every change relies on: `.ci/run`, and the Nodes that the tests are run by. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { checkout } from "../../support/cutover.ts";

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

/** A checkout of nothing but these files of this one. */
function checkoutOf(...files: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "cutover-ci-"));
  made.push(folder);
  for (const file of files) cpSync(join(checkout, file), join(folder, file));
  return folder;
}

/** Runs `.ci/run` where npm says what the shell commands say, by a word of its arguments; anything else passes silently. */
function runChecks(says: Readonly<Record<string, string>>) {
  const folder = checkoutOf(".ci/run");
  const asked = join(folder, "asked");
  const cases = Object.entries(says).map(([word, command]) => `*" ${word} "*) ${command};;`);
  mkdirSync(join(folder, "bin"));
  const script = `#!/bin/sh\necho "$*" >>${asked}\ncase " $* " in ${cases.join(" ")} esac\n`;
  writeFileSync(join(folder, "bin/npm"), script, { mode: 0o755 });
  const env = { PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH ?? ""}` };
  const { status, stdout } = spawnSync(join(folder, ".ci/run"), { encoding: "utf8", env });
  return {
    status,
    last: stdout.trimEnd().split("\n").at(-1),
    asked: readFileSync(asked, "utf8").trim().split("\n"),
  };
}

const suite = 'echo "tests: 4000 passed, 0 failed, 2 skipped"';
const wire = 'echo "tests: 2000 passed, 0 failed"; echo; echo "Node 26: all passed"';

test("the checks run the suite by this Node and the wire tests by the newest, and end with both counts in one", () => {
  const { status, last, asked } = runChecks({ test: suite, "test:matrix": wire });
  expect({ status, last }).toEqual({ status: 0, last: "tests: 6000 passed, 0 failed, 2 skipped" });
  expect(asked).toEqual([
    "ci",
    "run --silent lint",
    "run --silent typecheck",
    "run --silent build",
    "test",
    "run --silent test:matrix -- --node 26 --project wire",
  ]);
});

test.each([
  [
    "the suite fails",
    { test: 'echo "tests: 3999 passed, 1 failed"; exit 1', "test:matrix": wire },
    "5999 passed, 1",
  ],
  [
    "the newest Node fails",
    { test: suite, "test:matrix": 'echo "tests: 9 passed, 3 failed"; exit 1' },
    "4009 passed, 3",
  ],
  ["both fail", { test: 'echo "tests: 1 passed, 1 failed"; exit 1', "test:matrix": "exit 1" }, "1 passed, 2"],
  ["the newest Node cannot be had", { test: suite, "test:matrix": "exit 1" }, "4000 passed, 1"],
  ["a run ends well and counts nothing", { test: suite, "test:matrix": "true" }, "4000 passed, 1"],
  ["a run fails after a good count", { test: `${suite}; exit 1`, "test:matrix": wire }, "6000 passed, 1"],
])("the checks fail when %s, and the count says so", (_when, says, expected) => {
  const { status, last } = runChecks(says);
  expect(status).toBe(1);
  expect(last).toMatch(new RegExp(`^tests: ${expected} failed`));
});

test.each(["ci", "lint", "typecheck", "build"])("the checks end where %s fails", (word) => {
  const { status, asked } = runChecks({ [word]: "exit 7", test: suite, "test:matrix": wire });
  expect(status).toBe(7);
  expect(asked.at(-1)).toContain(word);
});

test("a Node that the registry does not give is a failure that says so", () => {
  const folder = checkoutOf("scripts/test-matrix.js");
  const { status, stderr } = spawnSync("node", [join(folder, "scripts/test-matrix.js"), "--node", "26"], {
    encoding: "utf8",
    env: {
      ...process.env,
      npm_config_registry: "http://127.0.0.1:9/",
      npm_config_fetch_retries: "0",
      npm_config_cache: join(folder, "cache"),
    },
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/Node 26\.\d+\.\d+ could not be installed from the npm registry/);
});

test("the image runs the very Node that the tests are run by as the newest", () => {
  const newest = /\["26", "(.+?)"\]/.exec(
    readFileSync(join(checkout, "scripts/test-matrix.js"), "utf8"),
  )?.[1];
  expect(newest).toMatch(/^26\.\d+\.\d+$/);
  const images = [...readFileSync(join(checkout, "Dockerfile"), "utf8").matchAll(/^FROM (\S+)/gm)];
  expect(new Set(images.map(([, image]) => image))).toEqual(new Set([`node:${newest}-trixie-slim`]));
});
