/** At most one holder's changes are accepted at any time, whatever the order of leases, releases, pauses and changes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRedisClient } from "../../../src/redis/client.ts";
import { openFileStore } from "../../../src/state/store/file.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import type { Store } from "../../../src/state/store/port.ts";
import { createRedisStore } from "../../../src/state/store/redis/store.ts";
import { command, setTo } from "../../support/commands.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { type RedisServer, startRedis } from "../../support/redis.ts";

const seed = Number(process.env.FC_SEED ?? Date.now());

let server: RedisServer;
let redis: Store;
let folder: string;
let runs = 0;

beforeAll(async () => {
  server = await startRedis();
  redis = createRedisStore({ client: createRedisClient(server.url) });
  folder = await mkdtemp(join(tmpdir(), "cutover-leases-"));
});
afterAll(async () => {
  await redis.close();
  await server.stop();
  await rm(folder, { recursive: true });
});

type Step =
  | { readonly kind: "take"; readonly holder: string; readonly ttlMs: number }
  | { readonly kind: "release"; readonly holder: string }
  | { readonly kind: "write"; readonly holder: string }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "setClock"; readonly ms: number };

// No sum of pauses comes near a time: what the test itself takes decides nothing.
const unit = 100_000;
const holder = fc.constantFrom("a", "b", "c");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("take"),
      holder,
      ttlMs: fc.constantFrom(60 * unit, 120 * unit),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("release"), holder }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("write"), holder }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.constantFrom(7 * unit, 31 * unit, 67 * unit) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("setClock"), ms: fc.constantFrom(-400 * unit, 0, 400 * unit) }),
  },
);

interface Trial {
  readonly store: Store;
  pass(ms: number): Promise<void>;
  setClock(ms: number): void;
}

function timed(open: (clock: { now(): number; monotonic(): number }) => Store): Trial {
  const time = createManualTime();
  let skewMs = 0;
  return {
    store: open({ now: () => time.now() + skewMs, monotonic: time.monotonic }),
    pass: (ms) => time.advance(ms),
    setClock(ms) {
      skewMs = ms;
    },
  };
}

/** Time passes in Redis by bringing the end of the lease nearer. */
function inRedis(name: string): Trial {
  const key = `cutover:lease:{${name}}`;
  const pass = async (ms: number) => {
    if ((await server.cli("EXISTS", key)) === 1) await server.cli("HINCRBY", key, "ends_at_ms", -ms);
  };
  return { store: redis, pass, setClock() {} };
}

/** Runs the steps against an oracle that knows who has the grant, and until when. */
async function trial(name: string, { store, pass, setClock }: Trial, steps: readonly Step[]): Promise<void> {
  let grant: { readonly holder: string; readonly token: number; readonly untilMs: number } | undefined;
  let largest = 0;
  let nowMs = 0;
  let percent = 0;
  /** What each holder believes to hold, however long ago it was granted. */
  const believed = new Map<string, number>();
  const inForce = () => (grant !== undefined && nowMs < grant.untilMs ? grant : undefined);
  for (const [at, each] of steps.entries()) {
    const label = `step ${at} ${JSON.stringify(each)}, seed ${seed}`;
    if (each.kind === "pass") {
      nowMs += each.ms;
      await pass(each.ms);
    } else if (each.kind === "setClock") {
      setClock(each.ms);
    } else if (each.kind === "take") {
      const leased = await store.lease(name, each.holder, each.ttlMs);
      const current = inForce();
      const isFree = current === undefined || current.holder === each.holder;
      expect(leased.granted, label).toBe(isFree);
      if (!leased.granted) {
        expect(leased.holder, label).toBe(current?.holder);
        continue;
      }
      if (current === undefined) expect(leased.token, label).toBeGreaterThan(largest);
      else expect(leased.token, label).toBe(current.token);
      largest = leased.token;
      believed.set(each.holder, leased.token);
      grant = { holder: each.holder, token: leased.token, untilMs: nowMs + each.ttlMs };
    } else {
      const token = believed.get(each.holder) ?? 1;
      const isHolder = inForce()?.token === token && inForce()?.holder === each.holder;
      if (each.kind === "release") {
        expect(await store.release(name, token), label).toBe(isHolder);
        if (isHolder) grant = undefined;
        continue;
      }
      percent = (percent + 1) % 100;
      const applied = await store.apply(command(name, setTo(percent), { fence: { lease: name, token } }));
      expect(applied, label).toMatchObject(
        isHolder ? { changed: true } : { accepted: false, code: "fenced" },
      );
    }
  }
}

test("the stores accept the changes of at most one holder at any time", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const name = `run-${runs++}`;
      await trial(
        name,
        timed((clock) => createMemoryStore({ clock })),
        steps,
      );
      await trial(name, inRedis(name), steps);
    }),
    { seed, numRuns: 150, verbose: 1 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
      const name = `run-${runs++}`;
      const time = createManualTime();
      let skewMs = 0;
      const clock = { now: () => time.now() + skewMs, monotonic: time.monotonic };
      const store = await openFileStore({ path: join(folder, `${name}.json`), clock });
      const setClock = (ms: number) => {
        skewMs = ms;
      };
      await trial(name, { store, pass: (ms) => time.advance(ms), setClock }, steps);
      await store.close();
    }),
    { seed, numRuns: 30, verbose: 1 },
  );
}, 60_000);
