/** The spool: nothing learned while the store is away is lost, whoever is killed meanwhile. */
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/base/clock.ts";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { createSpool, type Spool, type SpoolOptions } from "../../src/ownership/spool/spool.ts";
import { createSpoolFile, type LateOwner } from "../../src/ownership/spool/spool-file.ts";
import { createMemoryStores } from "../../src/ownership/stores/in-process.ts";
import type { OwnerStore } from "../../src/ownership/stores/port.ts";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createRedisClient } from "../../src/redis/client.ts";
import type { Side } from "../../src/state/rules/model.ts";
import { bundledProgram } from "../support/bundled-program.ts";
import { createManualTime } from "../support/manual-time.ts";
import { fact as named } from "../support/named-keys.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import { startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

const writer = await bundledProgram(fileURLToPath(new URL("../support/spool-writer.ts", import.meta.url)));
const hour = 3_600_000;

let folder: string;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "cutover-spool-")), "spool");
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await rm(join(folder, ".."), { recursive: true, force: true });
});

function openSpool(id: string, options: Partial<SpoolOptions> & Pick<SpoolOptions, "owners">) {
  const log = createRecordedLog();
  const counted: string[] = [];
  const recorded: string[] = [];
  const spool = createSpool({
    file: createSpoolFile(folder, id),
    clock: systemClock,
    timers: systemTimers,
    log,
    counts: {
      disputed: (cutover) => counted.push(`disputed ${cutover}`),
      lost: (cutover) => counted.push(`lost ${cutover}`),
    },
    onRecorded: ({ key }, owner) => recorded.push(`${key} ${owner}`),
    ...options,
  });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await spool.close();
    isOpen = false;
  };
  ends.push(close);
  return { spool: { ...spool, close } satisfies Spool, log, counted, recorded };
}

/** A store of owners that can be switched off. */
function switchable() {
  const { owners } = createMemoryStores(systemClock);
  const store = {
    up: false,
    record: async (...args: Parameters<OwnerStore["record"]>) => {
      if (!store.up) throw new StoreUnavailable("off");
      return owners.record(...args);
    },
    lookup: (keys: readonly string[]) => owners.lookup("checkout", keys.map(named)),
  };
  return store;
}

const fact = (key: string, side: Side = "new", untilMs = Date.now() + hour): LateOwner => ({
  cutover: "checkout",
  ...named(key),
  side,
  until: untilMs,
});

describe("a spool", () => {
  test("hands in what waits within a second of the store's return, and then leaves no file behind", async () => {
    const owners = switchable();
    const { spool, recorded } = openSpool("a", { owners });
    await spool.start();
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => spool.add(fact(key))));
    expect(spool.waiting()).toBe(200);
    expect(await readdir(folder)).toEqual([`${process.pid}-a.spool`, `${process.pid}-a.spool.lock`]);
    owners.up = true;
    await until("all are handed in", () => spool.waiting() === 0, 1000);
    expect(await owners.lookup(keys)).toEqual(keys.map(() => "new"));
    expect(recorded).toHaveLength(200);
    await spool.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test("touches the disk only when there is something to keep", async () => {
    const { spool } = openSpool("a", { owners: switchable() });
    await spool.start();
    await spool.close();
    await expect(readdir(folder)).rejects.toThrow("ENOENT");
  });

  test("keeps a key once, and only as long as it is worth keeping", async () => {
    const time = createManualTime();
    const owners = switchable();
    const { spool } = openSpool("a", { owners, clock: time, timers: time, file: undefined });
    await spool.add(fact("a", "new", time.now() + 1000));
    await spool.add(fact("a", "legacy", time.now() + 1000));
    expect(spool.waiting()).toBe(1);
    await time.advance(2000);
    expect(spool.waiting()).toBe(0);
    owners.up = true;
    await time.advance(1000);
    expect(await owners.lookup(["a"])).toEqual([undefined]);
  });

  test("counts and logs, without the key, what the other side owns already; the store's word counts", async () => {
    const owners = switchable();
    const { spool, counted, recorded, log } = openSpool("a", { owners });
    await spool.add(fact("INV-7", "new"));
    owners.up = true;
    await owners.record("checkout", named("INV-7"), "legacy", hour);
    await until("it is handed in", () => spool.waiting() === 0);
    expect(counted).toEqual(["disputed checkout"]);
    expect(recorded).toEqual(["INV-7 legacy"]);
    expect(JSON.stringify(log.lines)).toContain("owned by the other side");
    expect(JSON.stringify(log.lines)).not.toContain("INV-7");
  });

  test("hands in what one store takes, however much waits before it for another that takes nothing", async () => {
    const taken: string[] = [];
    const record: OwnerStore["record"] = async (cutover, { key }) => {
      if (cutover === "away") throw new StoreUnavailable("off");
      taken.push(key);
      return undefined;
    };
    const { spool } = openSpool("a", { owners: { record } });
    const late = { claimed: false, side: "new", until: Date.now() + 60_000 } as const;
    for (let i = 0; i < 200; i++) void spool.add({ ...late, cutover: "away", key: `K-${i}` });
    await spool.add({ ...late, cutover: "well", key: "K-well" });
    await expect.poll(() => taken).toEqual(["K-well"]);
    await expect.poll(() => spool.waiting()).toBe(200);
  });

  test("gives up and counts what is beyond its bound", async () => {
    const { spool, counted } = openSpool("a", { owners: switchable(), most: 2 });
    await Promise.all(["a", "b", "c", "d"].map((key) => spool.add(fact(key))));
    expect(spool.waiting()).toBe(2);
    expect(counted).toEqual(["lost checkout", "lost checkout"]);
  });

  test("keeps no response waiting for a disk that fails: the fact waits in memory", async () => {
    // A file in the folder's place.
    await writeFile(folder, "");
    const owners = switchable();
    const { spool, log } = openSpool("a", { owners });
    await spool.start();
    await spool.add(fact("a"));
    await spool.add(fact("b"));
    expect(log.lines.filter(({ message }) => message.includes("could not be written"))).toHaveLength(1);
    owners.up = true;
    await until("it is handed in", () => spool.waiting() === 0);
    expect(await owners.lookup(["a", "b"])).toEqual(["new", "new"]);
  });

  test("leaves what waits at a clean stop to the next process", async () => {
    const first = openSpool("a", { owners: switchable() });
    await first.spool.add(fact("a"));
    await first.spool.close();
    const owners = switchable();
    owners.up = true;
    const second = openSpool("b", { owners });
    await second.spool.start();
    await until("it is handed in", () => second.spool.waiting() === 0);
    expect(await owners.lookup(["a"])).toEqual(["new"]);
    await second.spool.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test("takes nothing from a process that runs", async () => {
    const first = openSpool("a", { owners: switchable() });
    await first.spool.add(fact("a"));
    const child = writer(folder);
    ends.push(async () => child.kill("SIGKILL"));
    await once(createInterface({ input: child.stdout }), "line");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect((await readFile(join(folder, `${process.pid}-a.spool`), "utf8")).split("\n")).toHaveLength(2);
  });

  test("passes over lines cut short and files that are none of its own", async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "1-x.spool"), `${JSON.stringify(fact("a"))}\nnonsense\n`);
    await appendFile(join(folder, "1-x.spool"), `${JSON.stringify(fact("b")).slice(0, 20)}`);
    await writeFile(join(folder, "notes.txt"), "mine");
    const owners = switchable();
    owners.up = true;
    const { spool } = openSpool("a", { owners });
    await spool.start();
    await until("all are handed in", () => spool.waiting() === 0);
    expect(await owners.lookup(["a", "b"])).toEqual(["new", undefined]);
    await spool.close();
    expect(await readdir(folder)).toEqual(["notes.txt"]);
  });

  test("survives kill -9 at any moment: the next process hands in all that was said to be safe", async () => {
    for (let round = 0; round < 4; round++) {
      const child = writer(folder);
      const gone = once(child, "exit");
      const safe: string[] = [];
      const lines = createInterface({ input: child.stdout });
      const closed = once(lines, "close");
      lines.on("line", (line) => safe.push(line));
      await once(lines, "line");
      await sleep(Math.random() * 100);
      child.kill("SIGKILL");
      await Promise.all([gone, closed]);
      const owners = switchable();
      owners.up = true;
      const { spool } = openSpool(`p${round}`, { owners });
      await spool.start();
      await until("all are handed in", () => spool.waiting() === 0);
      expect(await owners.lookup(safe)).toEqual(
        safe.map((key) => (Number(key.slice(1)) % 2 === 0 ? "new" : "legacy")),
      );
      await spool.close();
      expect(await readdir(folder)).toEqual([]);
    }
  }, 60_000);
});

describe("with a Redis that is killed and comes back", () => {
  test("all is in the store within a second, and nobody waits for a store that is away", async () => {
    const redis = await startRedis(["--appendonly", "yes"]);
    ends.push(redis.stop);
    const client = createRedisClient(redis.url);
    ends.push(client.close);
    const { owners, backSinceMs } = createRedisStores({ client, prefix: "cutover" });
    const { spool } = openSpool("a", { owners });
    await owners.record("checkout", named("before"), "legacy", hour);
    expect(backSinceMs?.()).toBe(Number.NEGATIVE_INFINITY);
    await redis.kill();

    await expect(owners.record("checkout", named("k"), "new", hour)).rejects.toThrow(StoreUnavailable);
    const begunAt = performance.now();
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    await Promise.all(
      keys.map(async (key) => {
        await expect(owners.record("checkout", named(key), "new", hour)).rejects.toThrow(StoreUnavailable);
        await spool.add(fact(key));
      }),
    );
    for (const key of keys)
      await expect(owners.lookup("checkout", [named(key)])).rejects.toThrow(StoreUnavailable);
    // One deadline each would be 25 s.
    expect(performance.now() - begunAt).toBeLessThan(2500);

    const restartedAt = performance.now();
    await redis.restart();
    await until("all are handed in", () => spool.waiting() === 0);
    expect(performance.now() - restartedAt).toBeLessThan(2000);
    expect(await owners.lookup("checkout", ["before", ...keys].map(named))).toEqual([
      "legacy",
      ...keys.map(() => "new"),
    ]);
    expect(backSinceMs?.()).toBeGreaterThan(restartedAt);
  });

  test("a frozen one costs a claim its deadline and no more", async () => {
    const redis = await startRedis();
    ends.push(redis.stop);
    const client = createRedisClient(redis.url);
    ends.push(client.close);
    const { owners } = createRedisStores({ client, prefix: "cutover" });
    await owners.record("checkout", named("a"), "new", hour);
    redis.freeze();
    const begunAt = performance.now();
    await expect(owners.lookup("checkout", [named("a")])).rejects.toThrow(StoreUnavailable);
    const waited = performance.now() - begunAt;
    redis.thaw();
    expect(waited).toBeGreaterThan(200);
    expect(waited).toBeLessThan(600);
    expect(await owners.lookup("checkout", [named("a")])).toEqual(["new"]);
  });
});
