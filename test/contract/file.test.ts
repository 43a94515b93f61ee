/** The embedded store's file: killed writers, second processes, documents that do not read. */
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../src/base/errors.ts";
import type { Proposal } from "../../src/state/rules/approval.ts";
import { initialState } from "../../src/state/rules/model.ts";
import { historyLimit } from "../../src/state/store/document.ts";
import { openFileStore } from "../../src/state/store/file.ts";
import type { Store } from "../../src/state/store/port.ts";
import { bundledProgram } from "../support/bundled-program.ts";
import { applyAll, command, noneKnown, setTo, stateOf } from "../support/commands.ts";
import { createManualTime } from "../support/manual-time.ts";

const writer = await bundledProgram(fileURLToPath(new URL("../support/file-writer.ts", import.meta.url)));

let folder: string;
let path: string;
const ends: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-file-"));
  path = join(folder, "state.json");
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await rm(folder, { recursive: true, force: true });
});

async function open(): Promise<Store> {
  const store = await openFileStore({ path, clock: createManualTime() });
  ends.push(() => store.close());
  return store;
}

/** Starts a writer of its own process; resolves once it has been told that a version is safe. */
async function startWriter() {
  const child = writer(path);
  const gone = once(child, "exit");
  let safe = 0;
  const lines = createInterface({ input: child.stdout });
  const closed = once(lines, "close");
  lines.on("line", (line) => {
    safe = Number(line);
  });
  await once(lines, "line");
  const kill = async () => {
    child.kill("SIGKILL");
    await Promise.all([gone, closed]);
  };
  ends.push(kill);
  return { pid: child.pid, kill, safe: () => safe };
}

test("the file keeps an open proposal over a restart, to the end of its time and not beyond", async () => {
  const time = createManualTime();
  const reopen = async () => {
    const store = await openFileStore({ path, clock: time });
    ends.push(() => store.close());
    return store;
  };
  const proposal = (id: string, ms: number): Proposal => ({
    id,
    percentThousandths: 50_000,
    version: 0,
    by: "ann",
    reason: "step 4",
    at: new Date(time.now()).toISOString(),
    expiresAt: new Date(time.now() + ms).toISOString(),
  });
  const first = await reopen();
  await first.propose("checkout", proposal("p1", 10_000), 10_000);
  await first.propose("returns", proposal("p2", 60_000), 60_000);
  await first.close();
  await time.advance(5000);
  const second = await reopen();
  expect(await second.proposal("checkout")).toMatchObject({ id: "p1", by: "ann" });
  await time.advance(5000);
  expect(await second.proposal("checkout")).toBeUndefined();
  const approve = command("returns", setTo(50), {
    actor: { name: "bob", role: "operator" },
    fourEyes: { overThousandths: 0, proposalId: "p2" },
  });
  expect(await second.apply(approve)).toMatchObject({ accepted: true, changed: true });
  await second.close();
  const third = await reopen();
  expect(await third.proposal("checkout")).toBeUndefined();
  expect(await third.proposal("returns")).toBeUndefined();
  expect(await third.withdraw("returns", "p2")).toBe(false);
});

test("the file keeps states, history and shared values over a restart", async () => {
  const first = await open();
  const state = await applyAll(first, "checkout", [setTo(12.345), { action: "hold" }]);
  const history = await first.history("checkout", 10);
  await first.shared("secret", "s");
  await first.close();
  const second = await open();
  expect(await stateOf(second, "checkout")).toEqual(state);
  expect(await second.history("checkout", 10)).toEqual(history);
  expect(await second.shared("secret", "other")).toBe("s");
});

test("the file is readable by its owner only, and leaves no other file behind", async () => {
  const store = await open();
  await applyAll(store, "checkout", [setTo(1)]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await store.close();
  expect(await readdir(folder)).toEqual(["state.json"]);
});

test("the file survives kill -9 at any moment, holding at least the last version that was said to be safe", async () => {
  let last = 0;
  for (let round = 0; round < 12; round++) {
    const child = await startWriter();
    await sleep(Math.random() * 60);
    await child.kill();
    JSON.parse(await readFile(path, "utf8"));
    const store = await open();
    const { version } = await stateOf(store, "checkout");
    expect(version).toBeGreaterThanOrEqual(child.safe());
    expect(version).toBeLessThanOrEqual(child.safe() + 1);
    expect(version).toBeGreaterThan(last);
    const versions = (await store.history("checkout", 10_000)).map((entry) => entry.version);
    expect(versions).toEqual(versions.map((_, at) => version - at));
    expect(versions).toHaveLength(Math.min(version, historyLimit));
    await store.close();
    expect(await readdir(folder)).toEqual(["state.json"]);
    last = version;
  }
}, 60_000);

test("the store changes nothing when the file cannot be written, and goes on when it can again", async () => {
  const store = await open();
  let hints = 0;
  store.subscribe(() => {
    hints += 1;
  });
  // A folder in the place of the file cannot be replaced by one.
  await mkdir(path);
  await expect(store.apply(command("checkout", setTo(50)))).rejects.toThrow(StoreUnavailable);
  await expect(store.shared("secret", "s")).rejects.toThrow(StoreUnavailable);
  const lost = { ...initialState(), percentThousandths: 1000, version: 4 };
  await expect(store.load(["checkout"], new Map([["checkout", lost]]))).rejects.toThrow(StoreUnavailable);
  expect(await stateOf(store, "checkout")).toEqual(initialState());
  expect(await store.history("checkout", 10)).toEqual([]);
  expect(hints).toBe(0);
  await rmdir(path);
  expect(await readdir(folder)).toEqual(["state.json.lock"]);
  expect(await store.apply(command("checkout", setTo(50)))).toMatchObject({ state: { version: 1 } });
});

test("the file keeps a bounded history, the newest of it", async () => {
  const store = await open();
  const changes = Array.from({ length: historyLimit + 5 }, (_, at) => setTo((at % 99) + 1));
  await applyAll(store, "checkout", changes);
  await store.close();
  const history = await (await open()).history("checkout", 10_000);
  expect(history).toHaveLength(historyLimit);
  expect(history[0]?.version).toBe(historyLimit + 5);
}, 60_000);

describe("a second process", () => {
  test("is refused as long as the first lives, with the file and the process named", async () => {
    const child = await startWriter();
    await expect(open()).rejects.toThrow(`${path} is in use by the process ${child.pid}`);
    await child.kill();
    expect((await stateOf(await open(), "checkout")).version).toBeGreaterThanOrEqual(child.safe());
  });

  test.each([
    ["a process that is gone", () => "999999999 1\n"],
    ["this very process before a restart", () => `${process.pid} 1\n`],
    ["another program that has the same id by now", () => `${process.ppid} 1\n`],
    ["nobody", () => ""],
  ])("is not refused by a lock of %s", async (_, text) => {
    await writeFile(`${path}.lock`, text());
    await open();
    expect(await readFile(`${path}.lock`, "utf8")).toMatch(new RegExp(`^${process.pid} `));
  });

  test("is refused by a lock that does not say when its process began", async () => {
    await writeFile(`${path}.lock`, `${process.ppid}\n`);
    await expect(open()).rejects.toThrow(`in use by the process ${process.ppid}`);
    expect(await readFile(`${path}.lock`, "utf8")).toBe(`${process.ppid}\n`);
  });
});

describe("a document", () => {
  async function edit(change: (text: string) => string): Promise<string> {
    const store = await open();
    await applyAll(store, "checkout", [setTo(40)]);
    await store.close();
    const text = change(await readFile(path, "utf8"));
    await writeFile(path, text);
    return text;
  }

  test("that was edited by hand while it was closed is simply loaded", async () => {
    await edit((text) =>
      text.replace(
        '"percentThousandths": 40000,\n        "state"',
        '"percentThousandths": 7000,\n        "state"',
      ),
    );
    expect(await stateOf(await open(), "checkout")).toMatchObject({ percentThousandths: 7000, version: 1 });
  });

  test.each([
    ["is empty", () => "", "not JSON"],
    ["is cut short", (text: string) => text.slice(0, -20), "not JSON"],
    ["is another one", () => "{}", "not a state document of cutover"],
    ["is of a later format", (text: string) => text.replace('"format": 1', '"format": 2'), "format"],
    [
      "has a percent that is none",
      (text: string) => text.replaceAll('"percentThousandths": 40000', '"percentThousandths": 400000'),
      "cutovers.checkout.state.percentThousandths",
    ],
    [
      "has a state that is none",
      (text: string) => text.replaceAll('"state": "open"', '"state": "ajar"'),
      "cutovers.checkout.state.state",
    ],
    [
      "has a state that no change leads to",
      (text: string) => text.replaceAll('"state": "open"', '"state": "rolled_back"'),
      "expected percent 0 while rolled back",
    ],
  ])("that %s is refused by name and left as it is", async (_, change, message) => {
    const text = await edit(change);
    await expect(open()).rejects.toThrow(path);
    await expect(open()).rejects.toThrow(message);
    expect(await readFile(path, "utf8")).toBe(text);
    expect(await readdir(folder)).toEqual(["state.json"]);
  });

  test("is not created before there is something to write", async () => {
    const store = await open();
    await store.load(["checkout"], noneKnown);
    expect(await readdir(folder)).toEqual(["state.json.lock"]);
  });
});
