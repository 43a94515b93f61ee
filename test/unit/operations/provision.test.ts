import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { planProvision, programs } from "../../provision.ts";

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

/** A folder that holds these programs and nothing else. */
function folderOf(...names: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "cutover-path-"));
  made.push(folder);
  for (const name of names) {
    writeFileSync(join(folder, name), "#!/bin/sh\n");
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

const all = Object.keys(programs);
const allBut = (...names: readonly string[]) => all.filter((program) => !names.includes(program));

test("provisioning has nothing to do when every program is there, on whichever folders of the PATH", () => {
  const path = [folderOf("wrk"), "/nowhere", "", folderOf(...allBut("wrk"))].join(delimiter);
  expect(planProvision({ path, isRoot: true })).toEqual({ kind: "ready" });
  expect(planProvision({ path, isRoot: false })).toEqual({ kind: "ready" });
});

test("provisioning installs only the packages of what is missing, each once, when root has apt-get", () => {
  const path = folderOf("apt-get", ...allBut("promtool", "prometheus", "wrk"));
  expect(planProvision({ path, isRoot: true })).toEqual({ kind: "install", packages: ["prometheus", "wrk"] });
});

test("provisioning says in one line what to install when it may not do so itself", () => {
  const path = folderOf("apt-get", ...allBut("redis-server", "wrk"));
  expect(planProvision({ path, isRoot: false })).toEqual({
    kind: "refuse",
    message: "the tests need redis-server, wrk: sudo apt-get install redis-server wrk",
  });
});

test("provisioning names the programs and Debian's packages where there is no apt-get, root or not", () => {
  const path = folderOf(...allBut("promtool"));
  for (const isRoot of [true, false]) {
    const plan = planProvision({ path, isRoot });
    expect(plan).toEqual({
      kind: "refuse",
      message:
        "the tests need promtool: install them so that they are on the PATH (Debian's packages: prometheus)",
    });
  }
});

test("provisioning takes neither a folder nor a file that cannot be run for a program", () => {
  const path = folderOf("apt-get", ...allBut("wrk", "redis-server"));
  mkdirSync(join(path, "wrk"));
  writeFileSync(join(path, "redis-server"), "", { mode: 0o644 });
  expect(planProvision({ path, isRoot: true })).toEqual({
    kind: "install",
    packages: ["redis-server", "wrk"],
  });
});

test("provisioning is decided within 50 ms when all is there", () => {
  const path = [...Array.from({ length: 20 }, (_, index) => `/nowhere/${index}`), folderOf(...all)].join(
    delimiter,
  );
  const begun = performance.now();
  expect(planProvision({ path, isRoot: true }).kind).toBe("ready");
  expect(performance.now() - begun).toBeLessThan(50);
});
