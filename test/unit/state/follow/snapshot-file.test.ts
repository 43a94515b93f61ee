import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../../src/base/clock.ts";
import { createSnapshotFile } from "../../../../src/state/follow/snapshot-file.ts";
import { type CutoverState, initialState } from "../../../../src/state/rules/model.ts";
import { bundledProgram } from "../../../support/bundled-program.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

let folder = "";
let path = "";
let log = createRecordedLog();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "snapshot-file-"));
  path = join(folder, "var", "snapshot.json");
  log = createRecordedLog();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (store?: string) =>
  createSnapshotFile({ path, clock: systemClock, log, ...(store === undefined ? {} : { store }) });
const at = (version: number, fields: Partial<CutoverState> = {}): CutoverState => ({
  ...initialState(),
  version,
  percentThousandths: 12_345,
  updatedAt: "2026-01-01T00:00:00.000Z",
  updatedBy: "ana",
  reason: "first shoppers",
  ...fields,
});
const empty = { states: new Map(), shared: new Map(), local: new Map() };
const put = async (text: string) => {
  await mkdir(join(folder, "var"), { recursive: true });
  await writeFile(path, text);
};
const others = async () => (await readdir(join(folder, "var"))).filter((name) => name !== "snapshot.json");

describe("keeping and reading", () => {
  test("gives back what was kept, states and shared values, after a restart", async () => {
    const file = open();
    file.keep(new Map([["checkout", at(7)]]));
    file.keepShared("journey:checkout", "s3cret");
    await file.settled();
    expect(await open().read()).toEqual({
      states: new Map([["checkout", at(7)]]),
      shared: new Map([["journey:checkout", "s3cret"]]),
      local: new Map(),
    });
    expect(log.lines).toEqual([]);
  });

  test("an absent file is nothing, without a warning", async () => {
    expect(await open().read()).toEqual({ states: new Map(), shared: new Map(), local: new Map() });
    expect(log.lines).toEqual([]);
  });

  test("the file is JSON of format 1, readable by its owner only, and leaves no temporary file", async () => {
    const file = open();
    file.keep(new Map([["checkout", at(7)]]));
    await file.settled();
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ format: 1, states: { checkout: at(7) } });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await others()).toEqual([]);
  });

  test("a file open to all is closed by the next write", async () => {
    await put(JSON.stringify({ format: 1, states: {} }));
    await chmod(path, 0o644);
    const file = open();
    file.keep(new Map([["checkout", at(1)]]));
    await file.settled();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("of many states in a row the last is kept", async () => {
    const file = open();
    for (let version = 1; version <= 200; version += 1) file.keep(new Map([["checkout", at(version)]]));
    await file.settled();
    expect((await open().read()).states.get("checkout")?.version).toBe(200);
  });

  test("does not write again what is already there", async () => {
    const file = open();
    file.keep(new Map([["checkout", at(7)]]));
    await file.settled();
    const before = await stat(path);
    file.keep(new Map([["checkout", at(7)]]));
    await file.settled();
    const second = open();
    second.keep(new Map([["checkout", at(7)]]));
    await second.settled();
    expect((await stat(path)).ino).toBe(before.ino);
  });
});

describe("one file of several instances", () => {
  test("the higher version of each cutover wins, whoever writes last", async () => {
    const one = open();
    const other = open();
    one.keep(
      new Map([
        ["checkout", at(9)],
        ["returns", at(1)],
      ]),
    );
    await one.settled();
    other.keep(
      new Map([
        ["checkout", at(8)],
        ["returns", at(2)],
      ]),
    );
    await other.settled();
    const { states } = await open().read();
    expect(states.get("checkout")?.version).toBe(9);
    expect(states.get("returns")?.version).toBe(2);
  });

  test("at the same version the writer's own state wins: it is what the store said last", async () => {
    const one = open();
    one.keep(new Map([["checkout", at(9)]]));
    await one.settled();
    const other = open();
    other.keep(new Map([["checkout", at(9, { reason: "added later" })]]));
    await other.settled();
    expect((await open().read()).states.get("checkout")?.reason).toBe("added later");
  });

  test("cutovers and shared values that the writer knows nothing of stay", async () => {
    const one = open();
    one.keep(new Map([["returns", at(4)]]));
    one.keepShared("journey:returns", "s3cret");
    await one.settled();
    const other = open();
    other.keep(new Map([["checkout", at(1)]]));
    await other.settled();
    const { states, shared } = await open().read();
    expect([...states.keys()].toSorted()).toEqual(["checkout", "returns"]);
    expect(shared.get("journey:returns")).toBe("s3cret");
  });
});

describe("instances that write in the same instant", () => {
  test("lose none of each other's states: no cold start at 0% of what had been at 100%", async () => {
    const names = ["checkout", "returns", "search", "account", "gifts", "wishes", "stock", "login"];
    const files = names.map(() => open());
    for (let version = 1; version <= 5; version += 1) {
      for (const [i, file] of files.entries()) file.keep(new Map([[names[i] ?? "", at(version)]]));
      await Promise.all(files.map((file) => file.settled()));
    }
    const { states } = await open().read();
    expect([...states].map(([name, { version }]) => [name, version])).toEqual(
      expect.arrayContaining(names.map((name) => [name, 5])),
    );
    expect(await others()).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  test("lose none across processes, one of which is killed while it has its turn", async () => {
    const program = fileURLToPath(new URL("../../../support/snapshot-writer.ts", import.meta.url));
    const start = await bundledProgram(program);
    const spawned = ["checkout", "returns", "search"].map((name) => {
      const child = start(path, name);
      const output = { text: "" };
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        output.text += chunk;
      });
      return { name, child, output, exited: once(child, "close") };
    });
    const linesOf = ({ output }: { output: { text: string } }) => output.text.split("\n").length;
    const reached = async (which: typeof spawned, more: number) => {
      const goals = which.map((each) => linesOf(each) + more);
      while (which.some((each, i) => linesOf(each) < (goals[i] ?? 0))) await sleep(10);
    };
    await reached(spawned, 10);
    const [first, ...rest] = spawned;
    first?.child.kill("SIGKILL");
    await reached(rest, 20);
    for (const { child } of rest) child.kill("SIGKILL");
    await Promise.all(spawned.map(({ exited }) => exited));
    const { states } = await open().read();
    for (const { name, output } of spawned) {
      const said = Number(output.text.split("\n").at(-2));
      expect(states.get(name)?.version).toBeGreaterThanOrEqual(said);
    }
  });

  test("a turn of a process out of sight is waited for, and taken once it has stood too long", async () => {
    await mkdir(join(folder, "var"), { recursive: true });
    await writeFile(`${path}.lock`, "1 77 another-host/pid:[1] 0011223344556677\n");
    const file = open();
    file.keep(new Map([["checkout", at(1)]]));
    await sleep(300);
    expect((await open().read()).states.size).toBe(0);
    await file.settled();
    expect((await open().read()).states.get("checkout")?.version).toBe(1);
    expect(await others()).toEqual([]);
  }, 15_000);
});

describe("a file of another store", () => {
  const staging = "redis://staging:6379/0 cutover";
  const production = "redis://production:6379/0 cutover";

  test("raises nothing, gives no secret, and is said once", async () => {
    const file = open(staging);
    file.keep(new Map([["checkout", at(900, { percentThousandths: 100_000 })]]));
    file.keepShared("journey:checkout", "s3cret");
    await file.settled();
    const here = open(production);
    await here.read();
    expect(await here.read()).toEqual({ ...empty, store: staging });
    expect(log.lines).toEqual([
      expect.objectContaining({
        level: "warn",
        fields: expect.objectContaining({ store: production, other: staging }),
      }),
    ]);
  });

  test("is replaced by the next write, whatever its versions, with a copy kept aside", async () => {
    const file = open(staging);
    file.keep(new Map([["checkout", at(900)]]));
    await file.settled();
    const text = await readFile(path, "utf8");
    const here = open(production);
    here.keep(new Map([["checkout", at(3)]]));
    await here.settled();
    const { store, states } = await open(production).read();
    expect(store).toBe(production);
    expect(states.get("checkout")?.version).toBe(3);
    const [aside = "", ...rest] = await others();
    expect(rest).toEqual([]);
    expect(await readFile(join(folder, "var", aside), "utf8")).toBe(text);
  });

  test("a file of an earlier release, which bears no name, is read, and bears one from the next write on", async () => {
    await put(JSON.stringify({ format: 1, states: { checkout: at(7) } }));
    const here = open(production);
    expect((await here.read()).states.get("checkout")?.version).toBe(7);
    here.keep(new Map([["checkout", at(7)]]));
    await here.settled();
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ store: production });
    expect(log.lines).toEqual([]);
  });
});

describe("a file that is not valid", () => {
  const state = (fields: object) =>
    JSON.stringify({ format: 1, states: { checkout: { ...at(1), ...fields } } });
  test.each([
    ["empty", ""],
    ["cut off", '{"format":1,"states":{"check'],
    ["not JSON", "percent: 5"],
    ["of another format", '{"format":2,"states":{}}'],
    ["a list", "[]"],
    ["a percent above 100", state({ percentThousandths: 100_001 })],
    ["a percent that is no integer of thousandths", state({ percentThousandths: 0.5 })],
    ["an unknown state", state({ state: "paused" })],
    ["rolled back above 0", state({ state: "rolled_back", percentThousandths: 1 })],
    ["closed below 100", state({ state: "closed", percentThousandths: 99_999 })],
    ["a negative version", state({ version: -1 })],
    ["a shared value that is no text", '{"format":1,"states":{},"shared":{"a":1}}'],
  ])("%s: ignored with one warning, and a copy kept aside", async (_, text) => {
    await put(text);
    expect(await open().read()).toEqual({ states: new Map(), shared: new Map(), local: new Map() });
    expect(log.lines.map(({ level }) => level)).toEqual(["warn"]);
    const [aside, ...rest] = await others();
    expect(rest).toEqual([]);
    expect(await readFile(join(folder, "var", aside ?? ""), "utf8")).toBe(text);
    expect(await readFile(path, "utf8")).toBe(text);
  });

  test("is kept aside once however often it is read, and the next write replaces it", async () => {
    await put("nonsense");
    await open().read();
    const file = open();
    await file.read();
    file.keep(new Map([["checkout", at(1)]]));
    await file.settled();
    expect((await open().read()).states.get("checkout")?.version).toBe(1);
    expect(await others()).toHaveLength(1);
  });

  test("a folder in its place is a warning at reading, and one warning at writing until it works again", async () => {
    await mkdir(path, { recursive: true });
    const file = open();
    expect((await file.read()).states.size).toBe(0);
    for (const version of [1, 2, 3]) {
      file.keep(new Map([["checkout", at(version)]]));
      await file.settled();
    }
    expect(log.about("could not be read")).toHaveLength(1);
    expect(log.about("could not be written")).toHaveLength(1);
    await rm(path, { recursive: true });
    file.keep(new Map([["checkout", at(3)]]));
    await file.settled();
    expect(log.about("written again")).toHaveLength(1);
    expect((await open().read()).states.get("checkout")?.version).toBe(3);
  });
});

describe("a crash", () => {
  test("a temporary file cut off at any byte does not matter, and is swept once it is old", async () => {
    const file = open();
    file.keep(new Map([["checkout", at(7)]]));
    await file.settled();
    const text = await readFile(path);
    const temporary = `${path}.00112233aabbccdd.tmp`;
    for (let length = 0; length <= text.length; length += 1) {
      await writeFile(temporary, text.subarray(0, length));
      expect((await open().read()).states.get("checkout")).toEqual(at(7));
    }
    expect(await others()).toHaveLength(1);
    const longAgo = new Date(Date.now() - 120_000);
    await utimes(temporary, longAgo, longAgo);
    await open().read();
    expect(await others()).toEqual([]);
  });

  test("after kill -9 of a writer the file is whole, and holds at least what was said to be kept", async () => {
    const program = fileURLToPath(new URL("../../../support/snapshot-writer.ts", import.meta.url));
    const start = await bundledProgram(program);
    let said = 0;
    for (const lines of [3, 20, 41, 77]) {
      const writer = start(path);
      const exited = once(writer, "close");
      let output = "";
      const enough = new Promise<void>((resolve) => {
        writer.stdout.setEncoding("utf8").on("data", (chunk: string) => {
          output += chunk;
          if (output.split("\n").length > lines) resolve();
        });
      });
      await Promise.race([enough, exited]);
      writer.kill("SIGKILL");
      const [, signal] = await exited;
      expect(signal).toBe("SIGKILL");
      const last = Number(output.split("\n").at(-2));
      expect(last).toBeGreaterThan(said);
      said = last;
      const kept = (await open().read()).states.get("checkout");
      expect(kept?.version).toBeGreaterThanOrEqual(said);
      expect(log.lines).toEqual([]);
    }
  });
});
