/** Real Redis as it is run in earnest: a primary with a replica under three Sentinels, and a Cluster of six. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, type RedisServer, startRedis } from "./redis.ts";
import { addDocumentedUser } from "./redis-user.ts";

const user = "cutover:sesame";

export interface Topology {
  /** As the configuration has it; with the user of docs/redis.md. */
  readonly url: string;
  /** All servers of data. */
  readonly servers: readonly RedisServer[];
  /** The server that takes writes for the cutover now; `undefined` while there is none. */
  find(cutover: string): Promise<RedisServer | undefined>;
  /** The same. @throws Error while there is none */
  primary(cutover: string): Promise<RedisServer>;
  replicaOf(primary: RedisServer): Promise<RedisServer>;
  stop(): Promise<void>;
}

/** A primary that is silent for half a second is replaced. */
export async function startSentinels(): Promise<Topology> {
  const first = await startRedis(["--repl-diskless-sync-delay", "0"]);
  const replica = await startRedis(["--replicaof", "127.0.0.1", String(first.port)]);
  const servers = [first, replica];
  await until("the replica to be in sync", async () =>
    String(await replica.cli("INFO", "replication")).includes("master_link_status:up"),
  );
  await Promise.all(servers.map(addDocumentedUser));
  const folder = await mkdtemp(join(tmpdir(), "cutover-sentinel-"));
  const ports = [await freePort(), await freePort(), await freePort()];
  const sentinels = await Promise.all(
    ports.map(async (port) => {
      const file = join(folder, `${port}.conf`);
      const lines = [
        `port ${port}`,
        "bind 127.0.0.1",
        `dir ${folder}`,
        `sentinel monitor shop 127.0.0.1 ${first.port} 2`,
        "sentinel down-after-milliseconds shop 500",
        "sentinel failover-timeout shop 3000",
      ];
      await writeFile(file, `${lines.join("\n")}\n`);
      const child = spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" });
      process.once("exit", () => child.kill("SIGKILL"));
      return child;
    }),
  );
  await until("the Sentinels to know each other and the replica", async () => {
    for (const port of ports) {
      const known = String(await redisCli(port, "SENTINEL", "MASTER", "shop"));
      if (!known.includes("num-other-sentinels,2") || !known.includes("num-slaves,1")) return false;
    }
    return true;
  });
  return {
    url: `redis-sentinel://${user}@${ports.map((port) => `127.0.0.1:${port}`).join(",")}/shop`,
    servers,
    ...looking(servers, isPrimary),
    async stop() {
      for (const child of sentinels) {
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        await gone;
      }
      await Promise.all(servers.map((server) => server.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Three primaries with a replica each. A node that is silent for a second is replaced. */
export async function startCluster(): Promise<Topology> {
  const servers = await Promise.all(
    Array.from({ length: 6 }, async () =>
      startRedis([
        ...["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"],
        ...["--cluster-port", String(await freePort())],
      ]),
    ),
  );
  await Promise.all(servers.map(addDocumentedUser));
  const nodes = servers.map(({ port }) => `127.0.0.1:${port}`);
  const create = spawn(
    "redis-cli",
    ["--cluster", "create", ...nodes, "--cluster-replicas", "1", "--cluster-yes"],
    {
      stdio: "ignore",
    },
  );
  const [code] = await once(create, "exit");
  if (code !== 0) throw new Error(`redis-cli --cluster create ended with ${code}`);
  await until("every replica to be in sync and every node to know it", async () => {
    for (const server of servers) {
      if (!String(await server.cli("CLUSTER", "INFO")).includes("cluster_state:ok")) return false;
      const info = String(await server.cli("INFO", "replication"));
      if (info.includes("role:slave") && !info.includes("master_link_status:up")) return false;
    }
    return true;
  });
  return {
    url: `redis-cluster://${user}@${nodes.slice(0, 3).join(",")}`,
    servers,
    // Only the primary that has the slot answers anything but MOVED.
    ...looking(servers, async (server, cutover) => {
      const answer = await server.cli("TYPE", `cutover:{${cutover}}`).catch(() => undefined);
      return answer !== undefined && (await isPrimary(server)) && (await isCurrent(server));
    }),
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

function looking(
  servers: readonly RedisServer[],
  isIt: (server: RedisServer, cutover: string) => Promise<boolean>,
): Pick<Topology, "find" | "primary" | "replicaOf"> {
  const find = async (cutover: string) => {
    for (const server of servers) if (await isIt(server, cutover)) return server;
    return undefined;
  };
  return {
    find,
    async primary(cutover) {
      const found = await find(cutover);
      if (found === undefined) throw new Error("no primary");
      return found;
    },
    async replicaOf(primary) {
      for (const server of servers) {
        const role = await server.cli("ROLE").catch(() => undefined);
        if (Array.isArray(role) && role[0] === "slave" && role[2] === primary.port) return server;
      }
      throw new Error("no replica");
    },
  };
}

async function isCurrent(server: RedisServer): Promise<boolean> {
  return String(await server.cli("CLUSTER", "INFO")).includes("cluster_state:ok");
}

async function isPrimary(server: RedisServer): Promise<boolean> {
  const role = await server.cli("ROLE").catch(() => undefined);
  return Array.isArray(role) && role[0] === "master";
}

/** One line, without quotes. */
async function redisCli(port: number, ...command: readonly string[]): Promise<string> {
  const child = spawn("redis-cli", ["-p", String(port), "--csv", ...command], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let text = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) text += chunk;
  return text.replaceAll('"', "");
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}`);
    await sleep(20);
  }
}
