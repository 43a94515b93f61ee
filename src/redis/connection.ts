/**
 * The connections that commands go by: to one server, to the primary that the Sentinels name, or to every node of a
 * Cluster. What ioredis calls ready is only a socket; `prove` asks for an answer.
 * ioredis by default queues commands while it is not connected, sends unanswered ones again after a reconnect and
 * lets a command to a frozen server pend for ever: all three are switched off here, because a write sent twice or
 * late is a write nobody asked for. Nor is it left to wait for INFO to say that loading is over, for up to 10 s.
 */
import { Socket } from "node:net";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { createNames } from "../base/dial/names.ts";
import type { Log } from "../base/log.ts";
import { createWays, type Ways } from "./connectors.ts";
import type { Endpoint, RedisUrl } from "./url.ts";
import { createComplaints, createReplicaWatch, isAsideWord } from "./words.ts";

export type RedisCommand = readonly [name: string, ...args: (string | number | Buffer)[]];
export type Results = readonly (readonly [error: Error | null, result: unknown])[];

export interface RedisConnection {
  /** Sends the commands in one go; of a Cluster, each to the node that has its key. `null`: no answer. */
  dispatch(commands: readonly RedisCommand[]): Promise<Results | null>;
  /** Resolves when a server of the wanted role has answered, be it with an error. Else rejects. */
  prove(): Promise<void>;
  /** Connected, as far as the socket tells. */
  isOpen(): boolean;
  /** The word of a server that has answered last and lets nobody in: WRONGPASS; `undefined`: there is none. */
  refusal(): string | undefined;
  onOpen(listener: () => void): void;
  onClosed(listener: () => void): void;
  /** A part of a Cluster that gave no answer gives answers again. */
  onMended(listener: () => void): void;
  /** Gives the connection up for another one. */
  renew(): void;
  /** A server has refused something within an answer: where it is no primary any more, another one is looked for. */
  refusedWithin(error: Error): void;
  /** A connection of its own for a subscription. */
  subscriber(): Redis;
  /** Whether that connection goes to the server that the commands go to now. Never of a Cluster, which has several. */
  isFromServer(subscriber: Redis): boolean;
  /** Whether the Sentinels name another server by now than that connection's, which may be cut off and still answer. */
  isAstray(subscriber: Redis): boolean;
  end(): Promise<void>;
}

/** Silence after which a connection is taken for dead. */
const silenceMs = 1000;
const maxRetryMs = 500;
const refreshEveryMs = 100;

/** Grows to half a second and is spread, so that a fleet does not come back in one instant. */
function retryMs(attempt: number): number {
  return Math.min(25 * attempt, maxRetryMs / 2) + Math.random() * (maxRetryMs / 2);
}

/**
 * @param lookup finds the addresses of hosts by name
 * @throws Error when the file of certificates cannot be read
 */
export function openConnection(url: RedisUrl, log?: Log, lookup = createNames()): RedisConnection {
  const ways = createWays(url, lookup);
  return url.kind === "cluster" ? clusterConnection(url, ways, log) : serverConnection(url, ways, log);
}

function common({ user, password }: RedisUrl, role: "commands" | "subscriber") {
  return {
    connectionName: `cutover-${role}`,
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    connectTimeout: silenceMs,
    commandTimeout: silenceMs,
    socketTimeout: silenceMs,
    disconnectTimeout: 100,
    keepAlive: 5000,
    enableReadyCheck: false,
    disableClientInfo: true,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
  } satisfies RedisOptions;
}

function serverConnection(
  url: Exclude<RedisUrl, { kind: "cluster" }>,
  { tls, ToServer, ToPrimary }: Ways,
  log?: Log,
): RedisConnection {
  const open = (role: "commands" | "subscriber") => {
    const isReplica = createReplicaWatch(() => complaints.refused("READONLY"));
    const options = {
      ...common(url, role),
      Connector: url.kind === "single" ? ToServer : ToPrimary,
      reconnectOnError: isReplica,
      ...(tls === undefined ? {} : { tls }),
      enableOfflineQueue: false,
      retryStrategy: retryMs,
      ...(url.kind === "single"
        ? { ...url.at, db: url.db }
        : {
            sentinels: [...url.sentinels],
            name: url.master,
            role: "master" as const,
            ...(url.sentinelUser === undefined ? {} : { sentinelUsername: url.sentinelUser }),
            ...(url.sentinelPassword === undefined ? {} : { sentinelPassword: url.sentinelPassword }),
            ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
            sentinelCommandTimeout: silenceMs,
            sentinelRetryStrategy: retryMs,
            // A primary that is cut off from the Sentinels goes on answering: they tell that it is none any more.
            failoverDetector: role === "commands",
          }),
    } satisfies RedisOptions;
    const opened = new Redis(options);
    const complaints = createComplaints(opened, role, log);
    return { opened, complaints, isReplica };
  };
  const { opened: redis, complaints, isReplica } = open("commands");
  let isEnding = false;
  // ioredis gives up for good when the Sentinels tell of a failover while it is asking them for the primary.
  redis.on("end", () => {
    if (!isEnding)
      setTimeout(() => void (isEnding || redis.connect().catch(() => undefined)), maxRetryMs / 2);
  });
  return {
    async dispatch(commands) {
      const [first, ...more] = commands;
      if (first === undefined || more.length > 0)
        return await redis.pipeline(commands.map((command) => [...command])).exec();
      const [name, ...args] = first;
      return [await resultOf(redis.call(name, ...args))];
    },
    prove: async () => {
      const answer = await replyOf(url.kind === "sentinel" ? redis.call("ROLE") : redis.call("PING"));
      if (Array.isArray(answer) && answer[0] !== "master") {
        complaints.refused("READONLY");
        throw new Error("not a primary");
      }
      complaints.letIn();
    },
    isOpen: () => redis.status === "ready",
    refusal: complaints.refusal,
    onOpen: (listener) => redis.on("ready", listener),
    onClosed: (listener) => redis.on("close", listener),
    onMended: () => undefined,
    renew: () => redis.disconnect(true),
    refusedWithin: (error) => {
      if (isReplica(error)) redis.disconnect(true);
    },
    subscriber: () => open("subscriber").opened,
    isFromServer: (subscriber) => {
      const server = serverOf(redis);
      return redis.status === "ready" && server !== undefined && server === serverOf(subscriber);
    },
    isAstray: (subscriber) =>
      url.kind === "sentinel" && redis.status === "ready" && serverOf(redis) !== serverOf(subscriber),
    end() {
      isEnding = true;
      return end(redis);
    },
  };
}

function openCluster(url: RedisUrl & { kind: "cluster" }, { tls, ToServer }: Ways): Cluster {
  const cluster = new Cluster([...url.nodes], {
    enableOfflineQueue: false,
    enableReadyCheck: false,
    redisOptions: {
      ...common(url, "commands"),
      Connector: ToServer,
      ...(tls === undefined ? {} : { tls }),
      reconnectOnError: createReplicaWatch(() => undefined),
    },
    clusterRetryStrategy: retryMs,
    slotsRefreshInterval: 5000,
    slotsRefreshTimeout: silenceMs,
    maxRedirections: 4,
    // The caller decides whether to send again.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // Names stay names: a certificate is held against them.
    dnsLookup: (host, done) => done(null, host),
  });
  // ioredis connects to a node at the first command for it and refuses the next ones until then.
  cluster.on("+node", (node: Redis) => {
    if (node.options.readOnly !== true) void replyOf(node.call("PING")).catch(() => undefined);
  });
  return cluster;
}

function clusterConnection(url: RedisUrl & { kind: "cluster" }, ways: Ways, log?: Log): RedisConnection {
  const { tls, ToServer } = ways;
  const cluster = openCluster(url, ways);
  const complaints = createComplaints(cluster, "commands", log);
  let isBroken = false;
  let mended = () => {};
  let refreshedMs = Number.NEGATIVE_INFINITY;
  const refresh = () => {
    const nowMs = performance.now();
    if (nowMs - refreshedMs < refreshEveryMs) return;
    refreshedMs = nowMs;
    cluster.refreshSlotsCache(() => undefined);
  };
  const endpoints = (): readonly Endpoint[] => {
    const known = cluster.nodes().flatMap(({ options: { host, port } }) => {
      return host === undefined || port === undefined ? [] : { host, port };
    });
    return known.length > 0 ? known : url.nodes;
  };
  return {
    async dispatch(commands) {
      const results = await Promise.all(
        commands.map(([name, ...args]) => resultOf(cluster.call(name, ...args))),
      );
      if (results.some(([error]) => error !== null && !isCurrent(error))) {
        isBroken = true;
        // The map of slots may be of before a failover.
        refresh();
      } else if (isBroken) {
        isBroken = false;
        mended();
      }
      return results;
    },
    prove: async () => {
      await Promise.any(cluster.nodes("master").map((node) => replyOf(node.call("PING"))));
      complaints.letIn();
    },
    isOpen: () => cluster.status === "ready",
    refusal: complaints.refusal,
    onOpen: (listener) => cluster.on("ready", listener),
    onClosed: (listener) => cluster.on("close", listener),
    onMended(listener) {
      mended = listener;
    },
    renew: () => cluster.disconnect(true),
    refusedWithin(error) {
      if (!isAsideWord(error)) return;
      isBroken = true;
      refresh();
    },
    subscriber() {
      const all = endpoints();
      const at = all[Math.floor(Math.random() * all.length)];
      const options = {
        ...common(url, "subscriber"),
        Connector: ToServer,
        ...(tls === undefined ? {} : { tls }),
        ...at,
        enableOfflineQueue: false,
        // It ends with its node; the next one goes to whichever is there then.
        retryStrategy: () => null,
      } satisfies RedisOptions;
      const opened = new Redis(options);
      createComplaints(opened, "subscriber", log);
      return opened;
    },
    isFromServer: () => false,
    isAstray: () => false,
    end: () => end(cluster),
  };
}

async function resultOf(answer: Promise<unknown>): Promise<Results[number]> {
  try {
    return [null, await answer];
  } catch (error) {
    return [error instanceof Error ? error : new Error("no answer"), null];
  }
}

/** @returns `undefined` while there is no connection */
function serverOf({ stream }: Redis): string | undefined {
  if (!(stream instanceof Socket) || stream.remoteAddress === undefined) return undefined;
  return `${stream.remoteAddress} ${stream.remotePort}`;
}

/** An error reply is an answer, too: of a server that is loading, or that allows this user nothing. */
async function replyOf(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && error.name === "ReplyError") return undefined;
    throw error;
  }
}

function isCurrent(error: Error): boolean {
  return error.name === "ReplyError" && !isAsideWord(error);
}

/** Ends the connection for good. */
export function end(redis: Redis | Cluster): Promise<void> {
  return new Promise((resolve) => {
    if (redis.status === "end") return resolve();
    const timer = setTimeout(resolve, 300);
    redis.once("end", () => {
      clearTimeout(timer);
      resolve();
    });
    redis.disconnect();
  });
}
