/** What a process leaves on its host of the requests that it knows of, on a real disk. */
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { createPastBooks, type SentRequest } from "../../../../src/ownership/past/book.ts";
import { createPastInProcess } from "../../../../src/ownership/past/in-process.ts";
import { openKept } from "../../../../src/ownership/past/kept/kept.ts";
import {
  createSentFile,
  readSent,
  type SentEntry,
  type SentPlace,
} from "../../../../src/ownership/past/kept/sent-file.ts";
import { createSpill, readSpilled } from "../../../../src/ownership/past/kept/spill.ts";
import { keyDigest, type PastNotes } from "../../../../src/ownership/past/port.ts";
import { createRecords } from "../../../../src/ownership/stores/records.ts";
import { createManualTime, epoch } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";
import { eventually, turn } from "../../../support/until.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
let folder: string;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-kept-"));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await rm(folder, { recursive: true });
});

const entry = (name: string, change: Partial<SentEntry> = {}): SentEntry => ({
  ...{ cutover: "checkout", side: "new", route: "pay", sentAtMs: epoch, digest: keyDigest(name), others: [] },
  ...change,
});

describe("the file of what is sent", () => {
  function open(options: Partial<Parameters<typeof createSentFile>[0]> = {}) {
    const path = join(folder, "1.sent");
    let unwritten = 0;
    const log = createRecordedLog();
    const onUnwritten = () => {
      unwritten += 1;
    };
    const file = createSentFile({ path, log, onUnwritten, ...options });
    ends.push(() => file.close());
    const digests = async () => readSent(await readFile(path, "utf8")).map(({ digest }) => digest);
    return { path, file, log, digests, unwritten: () => unwritten };
  }

  test("has whoever is sent before that is, until its end is known, and goes with its process", async () => {
    const { path, file, digests } = open();
    const places = ["A", "B", "C"].map((name) => file.take(entry(name)));
    await Promise.all(places.map(({ written }) => written));
    expect(await digests()).toEqual(["A", "B", "C"].map(keyDigest));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    places[1]?.giveBack();
    places[1]?.giveBack();
    await eventually("its place is blank", async () => (await digests()).length === 2, 5000);
    places[0]?.giveBack();
    const next = file.take(entry("D"));
    await next.written;
    expect((await digests()).sort()).toEqual(["C", "D"].map(keyDigest).sort());
    next.giveBack();
    places[2]?.giveBack();
    await file.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test("stays where a request in it has no end when its process has", async () => {
    const { file, digests } = open();
    await file.take(entry("A")).written;
    await file.close();
    expect(await digests()).toEqual([keyDigest("A")]);
  });

  test("is no longer than what waits at once, and what finds no room is counted, and sent", async () => {
    const { path, file, unwritten } = open({ most: 4 });
    for (let i = 0; i < 500; i += 1) {
      const place = file.take(entry(`K${i}`));
      await place.written;
      place.giveBack();
    }
    const places = Array.from({ length: 6 }, (_, i) => file.take(entry(`L${i}`)));
    expect(places.map(({ written }) => written !== undefined)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
    await Promise.all(places.map(({ written }) => written));
    expect((await stat(path)).size).toBeLessThanOrEqual(4 * 512);
    expect(unwritten()).toBe(2);
    for (const place of places) place.giveBack();
  });

  test("has as many keys of a request as there is room for, the first of all", async () => {
    const { path, file, digests, unwritten } = open();
    const others = Array.from({ length: 16 }, (_, i) => keyDigest(`other ${i}`));
    const long = file.take(entry("A", { others, route: "r".repeat(60) }));
    const none = file.take(entry("B", { route: "r".repeat(500) }));
    await long.written;
    expect(none.written).toBeUndefined();
    expect(unwritten()).toBe(1);
    expect(await digests()).toEqual([keyDigest("A")]);
    const [read] = readSent(await readFile(path, "utf8"));
    expect(others.slice(0, read?.others.length)).toEqual(read?.others);
    expect(read?.others.length).toBeGreaterThan(6);
    long.giveBack();
  });

  test("says once that it cannot be written, and stops nobody", async () => {
    await writeFile(join(folder, "file"), "");
    const { file, log, unwritten } = open({ path: join(folder, "file", "1.sent") });
    for (const name of ["A", "B"]) {
      const place = file.take(entry(name));
      await place.written;
      place.giveBack();
    }
    expect(unwritten()).toBe(2);
    expect(log.lines.map(({ message }) => message)).toEqual(["what is sent could not be written down"]);
  });

  test("as a disk hung all payments waited for it: one waits, for a moment, and none behind it", async () => {
    // To open a pipe waits for who reads it.
    const path = join(folder, "1.sent");
    await promisify(execFile)("mkfifo", [path]);
    const { file, unwritten } = open({ waitMs: 30 });
    const first = file.take(entry("A"));
    await first.written;
    const second = file.take(entry("B"));
    expect(second.written).toBeUndefined();
    expect(unwritten()).toBe(2);
    for (const place of [first, second]) place.giveBack();
    await promisify(execFile)("timeout", ["2", "cat", path]).catch(() => undefined);
  });

  test("as the process was busy each payment waited for those before it to be written: a turn or two are enough for all", async () => {
    const { file } = open({ waitMs: 10_000 });
    const before = Array.from({ length: 128 }, (_, i) => file.take(entry(`A${i}`)));
    await Promise.all(before.map(({ written }) => written));
    // Those that are free do not stand next to each other.
    for (let i = 0; i < before.length; i += 2) before[i]?.giveBack();
    const now = Array.from({ length: 64 }, (_, i) => file.take(entry(`B${i}`)));
    let isWritten = false;
    void Promise.all(now.map(({ written }) => written)).then(() => {
      isWritten = true;
    });
    let turns = 0;
    for (; !isWritten; turns += 1) {
      for (const until = performance.now() + 2; performance.now() < until; );
      await turn();
    }
    expect(turns).toBeLessThan(10);
  });

  test(`holds what waits, whatever comes and goes (SEED=${seed})`, async () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { maxLength: 80 });
    let made = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        made += 1;
        const { file, digests } = open({ path: join(folder, `${made}.sent`) });
        const taken = new Map<number, SentPlace>();
        const path = join(folder, `${made}.sent`);
        for (const [takes, which] of all) {
          if (!takes) {
            taken.get(which)?.giveBack();
            taken.delete(which);
          } else if (!taken.has(which)) taken.set(which, file.take(entry(`K${which}`)));
        }
        await Promise.all([...taken.values()].map(({ written }) => written));
        await file.close();
        const left =
          taken.size === 0 ? [] : readSent(await readFile(path, "utf8")).map(({ digest }) => digest);
        expect(left.sort()).toEqual([...taken.keys()].map((which) => keyDigest(`K${which}`)).sort());
        expect(digests).toBeDefined();
      }),
      { seed, numRuns: 40 },
    );
  });
});

const doubt = (name: string) => ({
  ...entry(name),
  ...{ sinceMs: epoch + 1, outcome: "timeout" as const },
});

test("notes that are kept are read back as they were, and what a crash has cut is none", async () => {
  const path = join(folder, "1.notes");
  const spill = createSpill(path);
  const decision = { atMs: epoch, side: "new", reason: "bucket", version: 4, route: "pay" } as const;
  const notes: PastNotes = {
    keys: [
      {
        ...{ cutover: "checkout", digest: keyDigest("K"), ttlMs: 5, decisions: [decision] },
        answered: { legacy: 7 },
      },
    ],
    doubts: [doubt("A"), { ...doubt("B"), outcome: null }],
  };
  await spill.keep(spill, notes, () => notes);
  const text = await readFile(path, "utf8");
  expect(readSpilled(text)).toEqual(notes);
  expect(readSpilled(text.slice(0, -20)).doubts).toEqual([doubt("A")]);
  await spill.done(spill);
  expect(await readFile(path, "utf8")).toBe("");
  await spill.close();
  expect(await readdir(folder)).toEqual([]);
});

test("kept notes take little more room than what waits, however often it is noted", async () => {
  const path = join(folder, "1.notes");
  const spill = createSpill(path);
  const some = { keys: [], doubts: Array.from({ length: 4000 }, (_, i) => doubt(`K${i}`)) };
  for (let i = 0; i < 12; i += 1) await spill.keep(spill, some, () => some);
  expect((await stat(path)).size).toBeLessThan(5 * 1024 * 1024);
  expect(readSpilled(await readFile(path, "utf8")).doubts.length).toBeGreaterThanOrEqual(4000);
  await spill.done(spill);
  await spill.close();
});

describe("a process that is killed", () => {
  const sentWith = (name: string, change: Partial<SentRequest> = {}): SentRequest => ({
    ...{ cutover: "checkout", route: "pay", isSafe: false, side: "new", reason: "bucket", version: 4 },
    ...{ keys: [{ key: name, claimed: true, ttlMs: 60_000 }], sentAtMs: epoch },
    ...change,
  });

  /** Processes of one host and one store. To the file's lock this process is one that was killed before. */
  function host() {
    const time = createManualTime();
    const store = createPastInProcess(createRecords({ clock: time }), time);
    let isAway = false;
    let made = 0;
    const log = createRecordedLog();
    const start = async (home = folder) => {
      made += 1;
      let isDead = false;
      const kept = openKept({ folder: home, id: `p${made}`, log, onUnwritten: () => undefined });
      const book = createPastBooks({
        store: {
          note: async (notes) => {
            if (isAway || isDead) throw new StoreUnavailable("away");
            return store.note(notes);
          },
        },
        ...{ isOwned: () => true, onLost: () => undefined, clock: time, timers: time, kept, log },
      });
      ends.push(() => book.close());
      await book.start();
      /** From here on nobody hears of it. */
      const kill = () => {
        isDead = true;
      };
      return { ...book, kill };
    };
    const setAway = (away: boolean) => {
      isAway = away;
    };
    const listed = async () =>
      (await store.inDoubt("checkout", 100)).map(({ digest, outcome }) => [digest, outcome]);
    /** Waits for what is written to the disk, too. */
    const hasFile = (ending: string, size: (bytes: number) => boolean) =>
      eventually(
        `a file ${ending}`,
        async () => {
          const names = (await readdir(folder)).filter((name) => name.endsWith(ending));
          const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
          return sizes.some(size);
        },
        5000,
      );
    return { time, store, start, listed, log, hasFile, setAway };
  }

  test("leaves in doubt what it had sent a moment ago, and nothing that was answered", async () => {
    const { time, start, listed, log } = host();
    const first = await start();
    const [gone, answered] = [{}, {}];
    await first.sent(answered, sentWith("answered"));
    first.ended(answered, sentWith("answered"), "answered", []);
    await first.sent(gone, sentWith("gone"));
    expect(first.sent({}, sentWith("safe", { isSafe: true }))).toBeUndefined();
    expect(await listed()).toEqual([]);

    first.kill();
    await start();
    await time.advance(1000);
    expect(await listed()).toEqual([[keyDigest("gone"), "instance_gone"]]);
    expect(log.lines.map(({ message }) => message)).toContain(
      "took over requests in doubt that a process has left which is gone",
    );
  });

  test("while the store was away took its notes with it: the next one hands them in, as they were", async () => {
    const { time, store, start, listed, setAway, hasFile } = host();
    setAway(true);
    const first = await start();
    const [reset, paid, late] = [{}, {}, {}];
    await first.sent(reset, sentWith("reset"));
    first.ended(reset, sentWith("reset"), "reset", []);
    await first.sent(paid, sentWith("paid"));
    first.ended(paid, sentWith("paid"), "answered", []);
    await time.advance(1000);
    await hasFile(".notes", (bytes) => bytes > 0);
    await first.sent(late, sentWith("late"));
    first.ended(late, sentWith("late"), "timeout", []);
    first.kill();

    // The store is away yet as the next one starts, and that is killed as well.
    (await start()).kill();
    await time.advance(1000);
    setAway(false);
    await start();
    await time.advance(2000);
    const all = new Map((await listed()).map(([digest, outcome]) => [digest, outcome]));
    expect(all.get(keyDigest("reset"))).toBe("reset");
    expect(["timeout", "instance_gone"]).toContain(all.get(keyDigest("late")));
    expect(all.size).toBe(2);
    expect((await store.of("checkout", keyDigest("paid")))?.answered).toEqual({ new: expect.any(Number) });
  });

  test("has all its notes on the disk: a file written anew, as it had grown, was without those that it had grown by", async () => {
    const { time, start, setAway } = host();
    setAway(true);
    const process = await start();
    const doubts = 26_000;
    for (let i = 0; i < doubts; i += 1) process.ended({}, sentWith(`K${i}`), "reset", []);
    await time.advance(1000);
    // Resolves when the store has refused them, and they are written down.
    await process.flush();
    const [name = ""] = (await readdir(folder)).filter((each) => each.endsWith(".notes"));
    expect(readSpilled(await readFile(join(folder, name), "utf8")).doubts).toHaveLength(doubts);
  });

  test("leaves nothing behind that the store has taken, nor one that ends as it should", async () => {
    const { time, start, listed, setAway, hasFile, store } = host();
    const first = await start();
    setAway(true);
    const request = {};
    await first.sent(request, sentWith("K"));
    first.ended(request, sentWith("K"), "reset", []);
    await time.advance(1000);
    // What is on the disk may not be known to be yet: the next second is set only then.
    await first.flush();
    await hasFile(".notes", (bytes) => bytes > 0);
    setAway(false);
    await time.advance(1000);
    await hasFile(".notes", (bytes) => bytes === 0);
    expect(await listed()).toHaveLength(1);
    await store.settle("checkout", keyDigest("K"), time.now());
    expect(await listed()).toEqual([]);
    await first.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test("and does not come back is heard of by whoever runs on the host", async () => {
    const { time, start, listed } = host();
    await start();
    const other = await start(join(folder, "elsewhere"));
    await other.sent({}, sentWith("gone"));
    other.kill();
    const names = (await readdir(join(folder, "elsewhere"))).filter((name) => name.endsWith(".sent"));
    for (const name of names)
      await writeFile(join(folder, name), await readFile(join(folder, "elsewhere", name)));
    await time.advance(15_000);
    await eventually(
      "it is listed",
      async () => {
        await time.advance(1000);
        return (await listed()).length === 1;
      },
      5000,
    );
  });

  test("from a folder that cannot be read nothing comes, which is said", async () => {
    if (process.getuid?.() === 0) return;
    const { start, log } = host();
    await chmod(folder, 0o000);
    await start();
    await chmod(folder, 0o700);
    expect(log.lines.at(-1)?.message).toBe("what earlier processes left of past requests could not be read");
  });
});
