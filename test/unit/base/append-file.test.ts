import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAppendFile } from "../../../src/base/append-file.ts";
import { lockFile } from "../../../src/base/file-lock.ts";

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-append-"));
  path = join(folder, "var", "lines");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const textOf = (file: string) => readFile(file, "utf8");

test("what is appended together is whole and in order; a cleared file begins anew", async () => {
  const file = createAppendFile(path);
  await Promise.all([file.append("one\n"), file.append("two\n")]);
  await Promise.all([file.clear(), file.append("three\n"), file.append("four\n")]);
  await file.close();
  expect(await textOf(path)).toBe("three\nfour\n");
  const again = createAppendFile(path);
  await again.append("five\n");
  expect(again.size()).toBe(16);
  await again.close();
  expect(await textOf(path)).toBe("three\nfour\nfive\n");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a full disk makes each append fail that meets it, and nothing else", async () => {
  const full = createAppendFile("/dev/full");
  await expect(full.append("one\n")).rejects.toThrow("ENOSPC");
  await expect(full.append("two\n")).rejects.toThrow();
  await full.close();
});

test("a file that cannot be opened makes the append fail, not the file's neighbours", async () => {
  const file = createAppendFile(folder);
  await expect(file.append("one\n")).rejects.toThrow("EISDIR");
  await file.close();
});

test("a last line that a crash has cut is ended, so that what follows is a line of its own", async () => {
  const first = createAppendFile(path);
  await first.append("one\n");
  await first.close();
  await appendFile(path, "tw");
  const second = createAppendFile(path);
  await second.append("three\n");
  expect(second.size()).toBe(13);
  await second.close();
  expect(await textOf(path)).toBe("one\ntw\nthree\n");
});

test("what is appended while the file is replaced comes after what it is replaced by", async () => {
  const file = createAppendFile(path);
  await file.append("one\n");
  await Promise.all([file.append("two\n"), file.rewrite(() => "1\n2\n"), file.append("three\n")]);
  await file.close();
  expect(await textOf(path)).toBe("1\n2\nthree\n");
});

test("a locked file is one process's while it is open, and touches nothing before that", async () => {
  const file = createAppendFile(path, { isLocked: true });
  await file.close();
  await file.remove();
  expect(await readdir(folder)).toEqual([]);
  await file.append("one\n");
  expect(await readdir(join(folder, "var"))).toEqual(["lines", "lines.lock"]);
  await file.close();
  expect(await readdir(join(folder, "var"))).toEqual(["lines"]);
  // A lock of this process's own counts as one from before a restart: process 1 always runs.
  const lock = await lockFile(path);
  await writeFile(`${path}.lock`, "1 \n");
  await expect(file.open()).rejects.toThrow("is in use by the process 1");
  await expect(file.append("two\n")).rejects.toMatchObject({ code: "ELOCKED" });
  await writeFile(`${path}.lock`, "999999999 \n");
  await file.append("three\n");
  await file.remove();
  await lock.release();
  expect(await readdir(join(folder, "var"))).toEqual([]);
});

test("a full file is put aside under its time and begun anew, so many kept, the removed ones told", async () => {
  const file = createAppendFile(path);
  const told: string[] = [];
  const rotate = (nowMs: number) =>
    file.rotate({
      nowMs,
      keepFiles: 2,
      begin(aside, removed) {
        told.push([aside, ...removed].map((each) => basename(each)).join(" -"));
        return `after ${basename(aside)}\n`;
      },
    });
  await writeFile(join(folder, "lines.20200101T000000.000Z"), "of another folder");
  for (let second = 0; second < 3; second++) {
    const written = file.append(`${second}\n`);
    await Promise.all([written, rotate(second * 1000), file.append("late\n")]);
  }
  await file.close();
  const names = ["lines.19700101T000000.000Z", "lines.19700101T000001.000Z", "lines.19700101T000002.000Z"];
  expect(told).toEqual([names[0], names[1], `${names[2]} -${names[0]}`]);
  expect((await readdir(join(folder, "var"))).sort()).toEqual(["lines", names[1], names[2]]);
  expect(await textOf(join(folder, "var", names[1] ?? ""))).toBe(`after ${names[0]}\nlate\n1\n`);
  expect(await textOf(path)).toBe(`after ${names[2]}\nlate\n`);
  expect(file.size()).toBe(`after ${names[2]}\nlate\n`.length);
});
