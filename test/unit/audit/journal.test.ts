import { readFileSync } from "node:fs";
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { createJournal, type Journal, type JournalOptions } from "../../../src/audit/journal.ts";
import type { RefusedChange } from "../../../src/audit/port.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { createFollower, type Follower } from "../../../src/state/follow/follow.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import type { Store } from "../../../src/state/store/port.ts";
import { applyAll, command, setTo } from "../../support/commands.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { createRecordedLog } from "../../support/recorded-log.ts";
import { settled, until } from "../../support/until.ts";

let folder = "";
let path = "";
let store: Store;
let follower: Follower;
const log = createRecordedLog();
const open: Journal[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-audit-"));
  path = join(folder, "var", "audit.ndjson");
  store = createMemoryStore({ clock: systemClock });
  const instance = { id: "one", startedAt: new Date().toISOString() };
  follower = createFollower({
    store,
    names: ["checkout"],
    instance,
    traffic: () => ({}),
    clock: systemClock,
    log,
    pollMs: 20,
  });
  await follower.start();
});
afterEach(async () => {
  for (const journal of open.splice(0)) await journal.close();
  await follower.stop();
  await store.close();
  await rm(folder, { recursive: true });
});

function start(more: Partial<JournalOptions> = {}): Journal {
  const journal = createJournal({
    path,
    instance: "one",
    store,
    follower,
    clock: systemClock,
    log,
    ...more,
  });
  open.push(journal);
  return journal;
}

const line = z.looseObject({ kind: z.string() });

/** None while there is no file; a line being written is none yet. */
function linesOf(file: string): z.output<typeof line>[] {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .slice(0, -1)
    .map((each) => line.parse(JSON.parse(each)));
}

const versionsOf = (file: string) =>
  linesOf(file)
    .filter(({ kind }) => kind === "change")
    .map(({ version }) => version);

const refused: RefusedChange = {
  name: "checkout",
  change: setTo(60),
  actor: { name: "ann", role: "viewer" },
  reason: "because",
  origin: { via: "cli", requestId: "r-1" },
  stands: { percentThousandths: 5000, state: "open", version: 1 },
  code: "forbidden",
};

test("the file has each change once and in order, in a file for its owner's eyes alone, also over a restart", async () => {
  await applyAll(store, "checkout", [setTo(5), setTo(6)]);
  await follower.refresh();
  const first = start();
  await until("it is in the file", () => versionsOf(path).length === 2);
  await first.close();
  await store.apply(command("checkout", setTo(7), { origin: { via: "console", requestId: "r-9" } }));
  await follower.refresh();
  start();
  await until("it is in the file", () => versionsOf(path).length === 3);
  expect(versionsOf(path)).toEqual([1, 2, 3]);
  expect(linesOf(path).at(-1)).toEqual({
    kind: "change",
    at: expect.any(String),
    cutover: "checkout",
    version: 3,
    action: "set",
    from: { percent: 6, state: "open" },
    to: { percent: 7, state: "open" },
    by: "ann",
    via: "console",
    reason: "because",
    requestId: "r-9",
  });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("the file has refusals and local changes with who, how, what and how it stood", async () => {
  const journal = start();
  journal.refused(refused);
  journal.madeLocally({ ...refused, change: { action: "rollback" } });
  await until("it is in the file", () => linesOf(path).length === 3);
  const [begin, no, local] = linesOf(path);
  expect(begin).toMatchObject({ kind: "begin", versions: {}, instance: "one", previous: null, removed: [] });
  expect(no).toEqual({
    kind: "refused",
    at: expect.any(String),
    cutover: "checkout",
    action: "set",
    percent: 60,
    by: "ann",
    role: "viewer",
    via: "cli",
    reason: "because",
    stands: { percent: 5, state: "open", version: 1 },
    requestId: "r-1",
    code: "forbidden",
    instance: "one",
  });
  expect(local).toMatchObject({ kind: "local", action: "rollback" });
});

test("the journal counts refusals above its rate instead of writing them", async () => {
  const journal = start();
  for (let turn = 0; turn < 300; turn++) journal.refused(refused);
  await journal.close();
  const lines = linesOf(path);
  const written = lines.filter(({ kind }) => kind === "refused").length;
  const omitted = z
    .array(z.object({ refusals: z.int() }))
    .parse(lines.filter(({ kind }) => kind === "omitted"));
  expect(written).toBeGreaterThanOrEqual(200);
  expect(written + omitted.reduce((sum, { refusals }) => sum + refusals, 0)).toBe(300);
});

test("the journal is not set to writing by refusals above its rate: they are told with the next line", async () => {
  const standing = { now: () => 0, monotonic: () => 0 };
  const journal = start({ clock: standing });
  for (let turn = 0; turn < 200; turn++) journal.refused(refused);
  await until("they are in the file", () => linesOf(path).length === 201);
  // And it is known that they are on the disk, and looked once more whether there are others.
  await until("it is known", () => journal.status().waiting === 0);
  await settled(() => linesOf(path).length);
  for (let turn = 0; turn < 50; turn++) journal.refused(refused);
  await sleep(50);
  expect(linesOf(path)).toHaveLength(201);
  expect(journal.status()).toEqual({ up: true, waiting: 0, omitted: 50 });
  journal.madeLocally(refused);
  await until("it is in the file", () => linesOf(path).length === 203);
  expect(linesOf(path).at(-1)).toMatchObject({ kind: "omitted", refusals: 50 });
});

test("the journal begins a new file at its size, goes on from its versions, keeps so many, and says which it removed", async () => {
  const journal = start({ rotateBytes: 1, keepFiles: 2 });
  for (let percent = 1; percent <= 5; percent++) {
    await applyAll(store, "checkout", [setTo(percent)]);
    await follower.refresh();
    await until("it is in the file", () =>
      linesOf(path).some(({ versions }) => JSON.stringify(versions) === `{"checkout":${percent}}`),
    );
  }
  await journal.close();
  const files = (await readdir(join(folder, "var"))).sort();
  expect(files).toHaveLength(3);
  const [current, older, newer] = files;
  expect(current).toBe("audit.ndjson");
  const kept = [older, newer].map((name) => versionsOf(join(folder, "var", name ?? "")));
  expect(kept).toEqual([[4], [5]]);
  const [begin] = linesOf(path);
  expect(begin).toMatchObject({ previous: newer, removed: [expect.stringMatching(/^audit\.ndjson\./)] });
  expect(log.about("old audit file was removed").length).toBeGreaterThan(0);
});

test("the journal ends a line that a crash has cut", async () => {
  const first = start();
  first.refused(refused);
  await first.close();
  await appendFile(path, '{"kind":"chan');
  const second = start();
  second.refused(refused);
  await second.close();
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[2]).toBe('{"kind":"chan');
  expect(JSON.parse(lines[3] ?? "")).toMatchObject({ kind: "refused" });
});

test("the file says which versions the store had forgotten", async () => {
  await applyAll(store, "checkout", [setTo(1), setTo(2), setTo(3), setTo(4)]);
  await follower.refresh();
  const forgetful = {
    history: async (name: string) => (await store.history(name, 10)).filter(({ version }) => version > 2),
  };
  const journal = start({ store: forgetful });
  await until("it is in the file", () => versionsOf(path).length === 2);
  await journal.close();
  expect(linesOf(path)[1]).toEqual({ kind: "gap", cutover: "checkout", from: 1, to: 2 });
});

test("the journal says in the log that the file cannot be written, and writes what waited once it can", async () => {
  const blocked = join(folder, "blocked");
  await writeFile(blocked, "a file where a folder is wanted");
  const journal = start({ path: join(blocked, "audit.ndjson") });
  expect(journal.status()).toEqual({ up: true, waiting: 0, omitted: 0 });
  journal.refused(refused);
  await until("the log says so", () => log.about("the audit file can not be written").length > 0);
  await until("that is told", () => !journal.status().up);
  expect(journal.status().waiting).toBe(1);
  await rm(blocked);
  await until("it is in the file", () => linesOf(join(blocked, "audit.ndjson")).length === 2);
  await until("that is told", () => journal.status().up);
  expect(journal.status().waiting).toBe(0);
});

test("a journal that is closed leaves no timer: a process that has stopped would stay for it", async () => {
  const timers = createManualTime();
  const journal = start({ timers });
  journal.refused(refused);
  await journal.close();
  expect(timers.pending()).toBe(0);
});
