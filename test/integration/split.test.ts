/**
 * Who is served by which side, over real HTTP, against a second computation of the bucket. CUTOVER_BARS=full: 20,000
 * shoppers, and 2,000 who walk.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AdminApi, createAdminApi } from "../support/admin-api.ts";
import { expectedBucket, expectedSide, murmur3x86of32, shoppersOfBuckets } from "../support/bucket.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { type Sides, startSides } from "../support/sides.ts";
import { createShop, type Shop, type Visit, visitAll } from "../support/traffic.ts";

const salt = "checkout";
const isFull = process.env.CUTOVER_BARS === "full";
const crowd = isFull ? 20_000 : 5000;
/** How far a share may be off. */
const tolerance = isFull ? 0.007 : 0.014;
const walkers = isFull ? 2000 : 400;
const atOnce = 32;
const endings: (() => Promise<unknown>)[] = [];
let sides: Sides;
let serve: Served;
let admin: AdminApi;
let shop: Shop;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-split-"));
  endings.push(() => rm(folder, { recursive: true }));
  sides = await startSides();
  endings.push(() => sides.stop());
  serve = await startServe({ folder, name: "only", yaml: serveYaml({ sides }) });
  endings.push(() => serve.kill());
  admin = createAdminApi(serve.admin);
  endings.push(() => admin.close());
  shop = createShop(serve.proxy, atOnce);
  endings.push(() => shop.close());
});
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function set(percent: number): Promise<number> {
  const { answer } = await admin.set(percent);
  if (answer === undefined) throw new Error(`percent ${percent} was not accepted`);
  expect(answer).toMatchObject({ percent, applied: { instances: 1, of: 1 } });
  return answer.version;
}

/** Those that were not decided by the bucket at that version, or not answered as they should. */
const amiss = (visits: readonly Visit[], version: number) =>
  visits.filter(
    (visit) => visit.fault !== undefined || visit.reason !== "bucket" || visit.version !== version,
  );

test("the second computation holds against published vectors of MurmurHash3_x86_32", () => {
  const hash = (text: string, seed: number) => murmur3x86of32(Buffer.from(text), seed);
  expect(hash("", 0)).toBe(0);
  expect(hash("", 1)).toBe(0x514e28b7);
  expect(hash("", 0xffffffff)).toBe(0x81f16f39);
  expect(hash("test", 0)).toBe(0xba6bd213);
  expect(hash("Hello, world!", 0)).toBe(0xc0363e43);
  expect(hash("The quick brown fox jumps over the lazy dog", 0)).toBe(0x2e4ff723);
});

test(`at 25 percent, 25 % ± ${(100 * tolerance).toFixed(1)} % of ${crowd} shoppers are served by new, each one on its computed side`, async () => {
  const shoppers = Array.from({ length: crowd }, (_, number) => `shopper-${number}`);
  const version = await set(25);
  const begun = performance.now();
  const visits = await visitAll(shop, shoppers, atOnce);
  const seconds = (performance.now() - begun) / 1000;

  expect(visits).toHaveLength(crowd);
  expect(amiss(visits, version)).toEqual([]);
  expect(visits.filter(({ shopper, side }) => side !== expectedSide(salt, shopper, 25))).toEqual([]);
  const share = visits.filter(({ side }) => side === "new").length / visits.length;
  console.log(
    `split: ${(share * 100).toFixed(3)} % of ${crowd} shoppers on new at 25, all on their computed side, ${seconds.toFixed(1)} s`,
  );
  expect(share).toBeGreaterThanOrEqual(0.25 - tolerance);
  expect(share).toBeLessThanOrEqual(0.25 + tolerance);
});

test("raising never moves a shopper back to legacy, lowering never one to new", async () => {
  const steps = [0, 0.001, 1, 12.345, 50, 99.999, 100];
  // The buckets on both sides of each step: a shopper who is on new one step too early or too late shows.
  const edges = [0, 1, 999, 1000, 12_344, 12_345, 49_999, 50_000, 99_998, 99_999];
  const missing = new Set(edges);
  const onEdges = shoppersOfBuckets(salt, "edge", (bucket) => missing.delete(bucket), edges.length);
  expect(onEdges.map((shopper) => expectedBucket(salt, shopper)).sort((a, b) => a - b)).toEqual(edges);
  const shoppers = [...onEdges, ...Array.from({ length: walkers }, (_, number) => `walker-${number}`)];

  await set(0);
  let before = new Set<string>();
  const counts: number[] = [];
  const walk = async (percent: number) => {
    const version = await set(percent);
    const visits = await visitAll(shop, shoppers, atOnce);
    expect(amiss(visits, version)).toEqual([]);
    expect(visits.filter(({ shopper, side }) => side !== expectedSide(salt, shopper, percent))).toEqual([]);
    const onNew = new Set(visits.filter(({ side }) => side === "new").map(({ shopper }) => shopper));
    counts.push(onNew.size);
    return onNew;
  };

  for (const percent of steps) {
    const onNew = await walk(percent);
    expect([...before].filter((shopper) => !onNew.has(shopper))).toEqual([]);
    before = onNew;
  }
  expect(before.size).toBe(shoppers.length);
  for (const percent of steps.toReversed().slice(1)) {
    const onNew = await walk(percent);
    expect([...onNew].filter((shopper) => !before.has(shopper))).toEqual([]);
    before = onNew;
  }
  expect(before.size).toBe(0);
  console.log(
    `split: of ${shoppers.length} shoppers on new, up and down: ${counts.join(" ")}; none moved back`,
  );
});
