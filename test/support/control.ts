/** Three `cutover serve` on one Redis, each with a link to it of its own that can be cut. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AdminApi, createAdminApi } from "./admin-api.ts";
import { type Partition, startPartition } from "./partition.ts";
import { type RedisServer, startRedis } from "./redis.ts";
import { type Served, type ServeOptions, startServe } from "./serve.ts";
import { type Sides, startSides } from "./sides.ts";
import { createShop, type Shop } from "./traffic.ts";

export interface Member {
  readonly served: Served;
  readonly api: AdminApi;
  readonly shop: Shop;
  readonly link: Partition;
  /** SIGKILL, and the same again: same files, another id. */
  restart(): Promise<Member>;
}

export interface ControlledFleet {
  readonly redis: RedisServer;
  readonly members: readonly [Member, Member, Member];
  readonly folder: string;
  stop(): Promise<void>;
}

export async function startControlledFleet(
  options: Pick<ServeOptions, "staleAfter" | "onStale"> & {
    readonly redisFlags?: readonly string[];
    /** Of the third alone; the others have one. */
    readonly workersOfThird?: number;
  },
): Promise<ControlledFleet> {
  const { redisFlags = [], workersOfThird = 1, ...more } = options;
  const folder = await mkdtemp(join(tmpdir(), "cutover-control-"));
  const endings: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const redis = await startRedis(redisFlags);
  endings.push(() => redis.stop());
  const sides: Sides = await startSides();
  endings.push(() => sides.stop());

  async function member(name: string, link: Partition): Promise<Member> {
    const store = `redis://127.0.0.1:${link.port}`;
    const served = await startServe({
      folder,
      name,
      sides,
      store,
      snapshot: `${name}.json`,
      workers: name === "c" ? workersOfThird : 1,
      ...more,
    });
    const api = createAdminApi(served.admin);
    const shop = createShop(served.proxy, 8);
    endings.push(() => shop.close());
    endings.push(() => api.close());
    endings.push(() => served.kill());
    return {
      served,
      api,
      shop,
      link,
      async restart() {
        await served.kill();
        return member(name, link);
      },
    };
  }

  async function linked(name: string): Promise<Member> {
    const link = await startPartition(redis.port);
    endings.push(() => link.close());
    return member(name, link);
  }

  const members = [await linked("a"), await linked("b"), await linked("c")] as const;
  return {
    redis,
    members,
    folder,
    async stop() {
      for (const end of endings.splice(0).reverse()) await end();
    },
  };
}

/** Awaits what has to be asked for. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean>,
  withinMs: number,
): Promise<number> {
  const begun = performance.now();
  while (!(await holds())) {
    if (performance.now() - begun > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resume) => setTimeout(resume, 10));
  }
  return performance.now() - begun;
}
