/** Real Redis as it is run in earnest: a primary with a replica under three Sentinels, and a Cluster of six. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Authority } from "./certificates.ts";
import { freePort } from "./free-port.ts";
import { endsWithTest } from "./processes.ts";
import { type RedisServer, startRedis } from "./redis.ts";
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

/** What a server is reached at by TLS, beside its plain port. */
interface Secured {
  readonly port: number;
  /** As options of a server: between servers it is TLS, too. */
  readonly flags: readonly string[];
}

async function secure(authority: Authority): Promise<Secured> {
  const port = await freePort();
  const { cert, key } = authority.issue(`redis-${port}`);
  const flags = [
    ...["--tls-port", String(port), "--tls-replication", "yes", "--tls-auth-clients", "no"],
    ...["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", authority.ca],
  ];
  return { port, flags };
}

const queryOf = (authority: Authority | undefined) =>
  authority === undefined ? "" : `?tls=true&ca=${encodeURIComponent(authority.ca)}`;

/**
 * A primary that is silent for half a second is replaced.
 *
 * @param authority all speak TLS, to each other too, with certificates of its
 */
export async function startSentinels(authority?: Authority): Promise<Topology> {
  const tls = async () => (authority === undefined ? undefined : await secure(authority));
  const [ofFirst, ofReplica] = [await tls(), await tls()];
  const first = await startRedis(["--repl-diskless-sync-delay", "0", ...(ofFirst?.flags ?? [])]);
  const firstPort = ofFirst?.port ?? first.port;
  const replica = await startRedis(["--replicaof", "127.0.0.1", `${firstPort}`, ...(ofReplica?.flags ?? [])]);
  const servers = [first, replica];
  await until("the replica to be in sync", async () =>
    String(await replica.cli("INFO", "replication")).includes("master_link_status:up"),
  );
  await Promise.all(servers.map(addDocumentedUser));
  const folder = await mkdtemp(join(tmpdir(), "cutover-sentinel-"));
  const ports = [await freePort(), await freePort(), await freePort()];
  const secured = await Promise.all(ports.map(tls));
  const sentinels = await Promise.all(
    ports.map(async (port, i) => {
      const file = join(folder, `${port}.conf`);
      const lines = [
        `port ${port}`,
        "bind 127.0.0.1",
        `dir ${folder}`,
        `sentinel monitor shop 127.0.0.1 ${firstPort} 2`,
        "sentinel down-after-milliseconds shop 500",
        "sentinel failover-timeout shop 3000",
      ];
      await writeFile(file, `${lines.join("\n")}\n`);
      const child = spawn("redis-server", [file, "--sentinel", ...(secured[i]?.flags ?? [])], {
        stdio: "ignore",
      });
      endsWithTest(child);
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
    url:
      `redis-sentinel://${user}@${ports.map((port, i) => `127.0.0.1:${secured[i]?.port ?? port}`).join(",")}` +
      `/shop${queryOf(authority)}`,
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

/**
 * Three primaries with a replica each. A node that is silent for a second is replaced.
 *
 * @param authority all speak TLS, to each other too, with certificates of its
 */
export async function startCluster(authority?: Authority): Promise<Topology> {
  const started = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const tls = authority === undefined ? undefined : await secure(authority);
      const server = await startRedis([
        ...["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"],
        ...["--cluster-port", String(await freePort())],
        ...(tls === undefined ? [] : ["--tls-cluster", "yes", ...tls.flags]),
      ]);
      return { server, port: tls?.port ?? server.port };
    }),
  );
  const servers = started.map(({ server }) => server);
  await Promise.all(servers.map(addDocumentedUser));
  const nodes = started.map(({ port }) => `127.0.0.1:${port}`);
  const byTls = authority === undefined ? [] : ["--tls", "--cacert", authority.ca];
  const create = spawn(
    "redis-cli",
    [...byTls, "--cluster", "create", ...nodes, "--cluster-replicas", "1", "--cluster-yes"],
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
    url: `redis-cluster://${user}@${nodes.slice(0, 3).join(",")}${queryOf(authority)}`,
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
