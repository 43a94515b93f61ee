/** One way to open each store for the contract suite. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRedisClient } from "../../src/redis/client.ts";
import { leaseMs } from "../../src/state/rules/completion.ts";
import { openFileStore } from "../../src/state/store/file.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import type { StartsOf, Store } from "../../src/state/store/port.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { createManualTime } from "../support/manual-time.ts";
import { startRedis } from "../support/redis.ts";
import { addDocumentedUser, refusals } from "../support/redis-user.ts";

export interface StoreUnderTest {
  readonly store: Store;
  /** Lets leases run out that are not renewed. */
  passLease(): Promise<void>;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
}

export interface Harness {
  readonly kind: Store["kind"];
  /** Opens an empty store. */
  open(starts?: StartsOf): Promise<StoreUnderTest>;
  /** Ends what `open` opened. */
  close(): Promise<void>;
  /** Ends what all tests share. */
  end(): Promise<void>;
}

export function memoryHarness(): Harness {
  const stores: Store[] = [];
  return {
    kind: "memory",
    async open(starts) {
      const time = createManualTime();
      const store = createMemoryStore({ clock: time, starts });
      stores.push(store);
      return { store, passLease: () => time.advance(leaseMs), pass: (ms) => time.advance(ms) };
    },
    close: () => closeAll(stores),
    async end() {},
  };
}

export function fileHarness(): Harness {
  const stores: Store[] = [];
  const folders: string[] = [];
  return {
    kind: "file",
    async open(starts) {
      const folder = await mkdtemp(join(tmpdir(), "cutover-file-"));
      folders.push(folder);
      const time = createManualTime();
      const store = await openFileStore({ path: join(folder, "var", "state.json"), clock: time, starts });
      stores.push(store);
      return { store, passLease: () => time.advance(leaseMs), pass: (ms) => time.advance(ms) };
    },
    async close() {
      await closeAll(stores);
      for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
    },
    async end() {},
  };
}

/** As the user of docs/redis.md, who must not be refused anything. */
export async function redisHarness(): Promise<Harness> {
  const server = await startRedis();
  const url = await addDocumentedUser(server);
  const stores: Store[] = [];
  return {
    kind: "redis",
    async open(starts) {
      await server.cli("FLUSHALL");
      const store = createRedisStore({ client: createRedisClient(url), starts });
      stores.push(store);
      return { store, passLease: () => sleep(leaseMs + 50), pass: sleep };
    },
    close: () => closeAll(stores),
    async end() {
      const refused = await refusals(server);
      await server.stop();
      if (refused.length > 0) throw new Error(`Redis refused the documented user: ${refused.join("; ")}`);
    },
  };
}

async function closeAll(stores: Store[]): Promise<void> {
  await Promise.all(stores.splice(0).map((store) => store.close()));
}
