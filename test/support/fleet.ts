/** Three `cutover serve` on one Redis, before two upstreams, and all that a test speaks to them by. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AdminApi, createAdminApi } from "./admin-api.ts";
import { type Served, startServe } from "./cutover.ts";
import { type Partition, startPartition } from "./partition.ts";
import { type RedisServer, startRedis } from "./redis.ts";
import { type Shape, serveYaml } from "./serve-yaml.ts";
import { type Sides, startSides } from "./sides.ts";
import { createShop, type Shop } from "./traffic.ts";

export interface Member {
  readonly served: Served;
  readonly api: AdminApi;
  readonly shop: Shop;
  /** Between it and Redis, where the fleet has links. */
  readonly link: Pick<Partition, "cut" | "heal">;
  /** SIGKILL, and the same again: same files, another id. What it is spoken to by is new, too. */
  restart(): Promise<void>;
}

export interface Fleet {
  readonly redis: RedisServer;
  readonly sides: Sides;
  readonly folder: string;
  readonly members: readonly [Member, Member, Member];
  /** One more, which is no member. */
  add(name: string): Promise<Member>;
  stop(): Promise<void>;
}

export interface FleetOptions {
  readonly redisFlags?: readonly string[];
  /** Each has a link of its own to Redis that can be cut. */
  readonly hasLinks?: boolean;
  /** By the member's name: `a`, `b` or `c`. */
  readonly shape?: (name: string) => Omit<Shape, "sides" | "store">;
}

const noLink = {
  cut: () => {
    throw new Error("this fleet has no links");
  },
  heal: () => undefined,
};

export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const { redisFlags, hasLinks = false, shape = () => ({}) } = options;
  const folder = await mkdtemp(join(tmpdir(), "cutover-fleet-"));
  const endings: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const [redis, sides] = await Promise.all([startRedis(redisFlags), startSides()]);
  endings.push(() => Promise.all([redis.stop(), sides.stop()]));

  async function start(name: string, port: number, link: Member["link"]): Promise<Member> {
    const store = `redis://127.0.0.1:${port}`;
    async function launch() {
      const served = await startServe({ folder, name, yaml: serveYaml({ sides, store, ...shape(name) }) });
      const api = createAdminApi(served.admin);
      const shop = createShop(served.proxy, 8);
      endings.push(() => Promise.all([shop.close(), api.close(), served.kill()]));
      return { served, api, shop };
    }
    const member = {
      ...(await launch()),
      link,
      async restart() {
        await member.served.kill();
        Object.assign(member, await launch());
      },
    };
    return member;
  }

  async function add(name: string): Promise<Member> {
    if (!hasLinks) return start(name, redis.port, noLink);
    const link = await startPartition(redis.port);
    endings.push(() => link.close());
    return start(name, link.port, link);
  }

  async function stop(): Promise<void> {
    for (const end of endings.splice(0).reverse()) await end();
  }

  try {
    const members = await Promise.all([add("a"), add("b"), add("c")]);
    return { redis, sides, folder, members, add, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
