/**
 * A rolling upgrade: the older version beside this one on one Redis, each by its own build, with writes, owners and pins.
 * Nothing is lost, and neither refuses what the other wrote. CUTOVER_BARS=full: the older version is built and runs
 * (CUTOVER_UPGRADE_FROM: a commit or tag). Without it this version reads what an older one wrote once, from a file that
 * says of which commit, and what it writes itself is held to what that one could read. CUTOVER_RECORD: where the full
 * form writes such a file.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { type AdminApi, accepted, createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { beginCheckout, goOn, type Held, heldList, shopLines } from "../support/moved-shop.ts";
import { buildOlder, olderCommit } from "../support/older-version.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { type Sides, startSides } from "../support/sides.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const fixture = new URL("./upgrade-from.json", import.meta.url);

interface Running {
  readonly served: Served;
  readonly api: AdminApi;
}

let folder: string;
let redis: RedisServer;
let sides: Sides;
const running: Running[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-upgrade-"));
  [redis, sides] = await Promise.all([startRedis(), startSides()]);
});

afterEach(async () => {
  for (const { served, api } of running.splice(0)) {
    await served.kill();
    await api.close();
  }
  await Promise.all([redis.stop(), sides.stop()]);
  await rm(folder, { recursive: true, force: true });
});

/** @param from the checkout of the older version; this one without it */
async function start(name: string, from?: string): Promise<Running> {
  const now = serveYaml({ sides, store: redis.url, cutover: shopLines });
  // An older version knows of no guard, and refuses what it does not know.
  const yaml = from === undefined ? now : now.replace(/^ *guard: off\n/m, "");
  const served = await startServe({ folder, name, yaml, ...(from !== undefined && { from }) });
  const one = { served, api: createAdminApi(served.admin) };
  running.push(one);
  return one;
}

async function stop(one: Running): Promise<void> {
  running.splice(running.indexOf(one), 1);
  expect(await one.served.stop()).toBe(0);
  await one.api.close();
}

/** A browser's and an app's checkouts, some to each side at 50 percent. */
async function beginMany(name: string, { served }: Running, count = 8): Promise<Held[]> {
  const begun: Held[] = [];
  for (let i = 0; i < count; i++) begun.push(await beginCheckout(served.proxy, `${name}-${i}`, i % 2 === 1));
  return begun;
}

async function expectNothingLost(all: readonly Held[], by: readonly Running[]): Promise<void> {
  for (const { served } of by) for (const each of all) expect(await goOn(served.proxy, each)).toEqual([]);
  const { split, wrong, corrupt } = await sides.stats();
  expect({ split, wrong, corrupt }).toEqual({ split: [], wrong: [], corrupt: 0 });
}

/** Neither has met a state, an owner or a pin that it could not read. */
async function expectAllRead({ served, api }: Running): Promise<void> {
  for (const name of [
    'cutover_state_rejected_total{cutover="checkout"}',
    'cutover_ownership_disputed_total{cutover="checkout"}',
    'cutover_ownership_conflicts_total{cutover="checkout"}',
  ])
    expect([name, await api.metric(name)]).toEqual([name, 0]);
  const errors = (await served.lines()).filter(({ level }) => level === "error" || level === "fatal");
  expect(errors).toEqual([]);
}

const command = z.array(z.string()).min(2);
const recorded = z.object({
  /** Of the version that wrote it. */
  commit: z.string(),
  percent: z.number(),
  version: z.int(),
  held: heldList,
  /** The commands that make the store as it was. */
  store: z.array(command),
});

test.runIf(isFull)(
  "an older version and this one side by side on one Redis lose nothing",
  async () => {
    const commit = olderCommit();
    const older = buildOlder(commit, folder);
    const oldOne = await start("old-1", older);
    const oldTwo = await start("old-2", older);
    accepted(await oldOne.api.set(50));
    const first = await beginMany("old", oldOne);
    if (process.env.CUTOVER_RECORD !== undefined) await record(process.env.CUTOVER_RECORD, commit, first);
    expect(new Set(first.map(({ side }) => side))).toEqual(new Set(["legacy", "new"]));

    await stop(oldTwo);
    const newOne = await start("new-1");
    const both = [oldOne, newOne];
    // Bucket and journey differ now, whichever instance is asked.
    expect(accepted(await newOne.api.set(0)).applied).toMatchObject({ instances: 2, of: 2 });
    await expectNothingLost(first, both);
    expect(accepted(await oldOne.api.set(50)).applied).toMatchObject({ instances: 2, of: 2 });
    const second = [...(await beginMany("mixed-old", oldOne)), ...(await beginMany("mixed-new", newOne))];
    expect(accepted(await newOne.api.set(100)).applied).toMatchObject({ instances: 2, of: 2 });
    const all = [...first, ...second];
    await expectNothingLost(all, both);

    // Whatever one refuses, the other refuses by the same name.
    accepted(await newOne.api.call("hold"));
    accepted(await newOne.api.set(10));
    for (const { api } of both) expect((await api.set(20)).code).toBe("held");
    accepted(await oldOne.api.call("resume"));
    accepted(await newOne.api.call("rollback"));
    for (const { api } of both) expect((await api.set(20)).code).toBe("rolled_back");
    await expectNothingLost(all, both);
    accepted(await oldOne.api.call("resume"));
    accepted(await oldOne.api.set(30));
    expect((await newOne.api.view()).percent).toBe(30);
    const [ofOld, ofNew] = [await oldOne.api.history(), await newOne.api.history()];
    expect(ofNew).toEqual(ofOld);
    const versions = ofNew.map(({ version }) => version);
    expect(versions).toEqual(versions.map((_, i) => versions.length - i));
    for (const one of both) await expectAllRead(one);

    await stop(oldOne);
    const newTwo = await start("new-2");
    await expectNothingLost(all, [newOne, newTwo]);
    for (const one of [newOne, newTwo]) await expectAllRead(one);
  },
  600_000,
);

async function record(path: string, commit: string, all: readonly Held[]): Promise<void> {
  const [one] = running;
  if (one === undefined) throw new Error("nothing runs");
  const { percent, version } = await one.api.view();
  const store = (await Promise.all((await keysInStore()).map(commandsOf))).flat();
  await writeFile(path, `${JSON.stringify({ commit, percent, version, held: all, store }, null, 1)}\n`);
}

/** Without what instances say of themselves: they are gone. */
async function keysInStore(): Promise<string[]> {
  const keys = z.array(z.string()).parse(await redis.cli("KEYS", "*"));
  return keys.filter((key) => !/^cutover:\{?instance/.test(key)).sort();
}

const texts = z.array(z.string());
const entries = z.array(z.tuple([z.string(), texts]));

async function commandsOf(key: string): Promise<string[][]> {
  const ttl = await redis.cli("PTTL", key);
  const lasts = typeof ttl === "number" && ttl > 0 ? [["PEXPIRE", key, String(ttl)]] : [];
  return [...(await makingOf(key)), ...lasts];
}

async function makingOf(key: string): Promise<string[][]> {
  switch (await redis.cli("TYPE", key)) {
    case "hash":
      return [["HSET", key, ...texts.parse(await redis.cli("HGETALL", key))]];
    case "zset":
      return pairsOf(texts.parse(await redis.cli("ZRANGE", key, 0, -1, "WITHSCORES"))).map(
        ([member, score]) => ["ZADD", key, score, member],
      );
    case "stream":
      return entries
        .parse(await redis.cli("XRANGE", key, "-", "+"))
        .map(([id, fields]) => ["XADD", key, id, ...fields]);
    default:
      return [["SET", key, z.string().parse(await redis.cli("GET", key))]];
  }
}

function pairsOf(flat: readonly string[]): [string, string][] {
  return flat.flatMap((text, i): [string, string][] => (i % 2 === 0 ? [[text, flat[i + 1] ?? ""]] : []));
}

/** What the recorded version takes for a record of its kind: state/rules/written.ts, decide/pin.ts, the scripts of owners. */
const read: readonly (readonly [RegExp, RegExp])[] = [
  [/:owner:/, /^(?:legacy|new)$/],
  [/:claim:/, /^(?:legacy|new)(?: apart)?$/],
  [/:pin:/, /^(?:legacy|new)\.\d{1,15}\.\d{1,15}\.[\w-]{12}$/],
];

test("what an older version wrote is read, and what is written can be read by it", async () => {
  const older = recorded.parse(JSON.parse(await readFile(fixture, "utf8")));
  for (const each of older.store) await redis.cli(...each);
  const one = await start("new");
  expect(await one.api.view()).toMatchObject({ percent: older.percent, version: older.version });
  expect(older.held.length).toBeGreaterThan(0);
  const goneOn = (each: Held) => goOn(one.served.proxy, each);
  for (const each of older.held) expect(await goneOn(each)).toEqual([]);
  accepted(await one.api.set(0));
  for (const each of older.held) expect(await goneOn(each)).toEqual([]);
  accepted(await one.api.set(100));
  const begun = await beginMany("new", one, 4);
  for (const each of begun) expect(await goneOn(each)).toEqual([]);
  expect((await one.api.history()).map(({ version }) => version)).toContain(1);
  await expectAllRead(one);
  await stop(one);
  await expectReadable(older.store);
});

async function expectReadable(before: readonly (readonly string[])[]): Promise<void> {
  const store = (await Promise.all((await keysInStore()).map(commandsOf))).flat();
  const seen = read.map(([kind, form]) => {
    const values = store.flatMap(([verb, key = "", value = ""]) =>
      verb === "SET" && kind.test(key) ? [value] : [],
    );
    expect(values.filter((value) => !form.test(value))).toEqual([]);
    return values.length;
  });
  expect(seen.every((count) => count > 0)).toBe(true);
  // Entries of a hash or a stream have all that they had.
  const namesIn = (all: readonly (readonly string[])[], verb: string, skip: number) =>
    new Map(
      all
        .filter(([is]) => is === verb)
        .map((each) => [each[1], pairsOf(each.slice(skip)).map(([name]) => name)]),
    );
  for (const [verb, skip] of [
    ["HSET", 2],
    ["XADD", 3],
  ] as const)
    for (const [key, names] of namesIn(before, verb, skip))
      expect([key, namesIn(store, verb, skip).get(key)]).toEqual([key, expect.arrayContaining(names)]);
}
