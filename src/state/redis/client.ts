/**
 * The connections to Redis, and the only place that knows what ioredis does when a server is away, frozen, loading
 * or not the primary. Two things are promised: every call ends by the moment its caller names, and a caller learns
 * whether a command that got no answer may have been sent.
 *
 * ioredis by default queues commands while it is not connected, sends unanswered ones again after a reconnect and
 * lets a command to a frozen server pend for ever: all three are switched off here, because a write sent twice or
 * late is a write nobody asked for. It also waits for INFO to say that loading is over, at intervals of up to 10 s;
 * here a loading server is one that answers LOADING.
 */
import { Redis, type RedisOptions } from "ioredis";
import type { Log } from "../log.ts";

export type RedisCommand = readonly [name: string, ...args: (string | number | Buffer)[]];

/** An answer; an error reply by its code, e.g. `NOSCRIPT`. */
export type Reply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string };

export type Sent =
  | { readonly kind: "answered"; readonly replies: readonly Reply[] }
  /** Nothing was sent. */
  | { readonly kind: "unsent" }
  /** Sent, or perhaps sent, and no answer: the server may have done it, or may yet do it. */
  | { readonly kind: "unknown" };

export interface RedisClient {
  /** Sends the commands in one go. Resolves by `giveUpAtMs` (of `monotonicMs`) at the latest; never rejects. */
  send(commands: readonly RedisCommand[], giveUpAtMs: number): Promise<Sent>;
  /**
   * Calls back with each message of the channel, and without one whenever messages may have been missed.
   *
   * @returns the way out
   */
  subscribe(channel: string, onHint: (message?: Buffer) => void): () => void;
  /** Whether a command would be sent now; `send` else waits for the connection. */
  isReady(): boolean;
  isClosed(): boolean;
  /** When the connection for commands was last ready again after a failure (of `monotonicMs`); -Infinity: never. */
  backSinceMs(): number;
  close(): Promise<void>;
}

/** Silence after which a connection is taken for dead. */
const silenceMs = 1000;
const heartbeatMs = 1000;
const maxRetryMs = 500;

/** Milliseconds of a clock that never steps back. Real time: sockets know no other. */
export function monotonicMs(): number {
  return performance.now();
}

/**
 * Connects in the background: a server that is away makes the calls fail, not this.
 *
 * @param url redis://[USER:PASSWORD@]HOST:PORT[/DB] or rediss://…
 * @throws Error when the URL is not one; its text is not repeated, it may hold a password
 */
export function createRedisClient(url: string, log?: Log): RedisClient {
  const commands = connect(url, "commands", log);
  const subscribers = new Set<Redis>();
  const heartbeats = new Set<NodeJS.Timeout>();
  const waiting = new Set<() => void>();
  let closed = false;
  let isTroubled = false;
  let backSinceMs = Number.NEGATIVE_INFINITY;
  commands.on("close", () => {
    isTroubled = true;
  });
  commands.on("ready", () => {
    if (isTroubled) backSinceMs = monotonicMs();
    isTroubled = false;
    wake();
  });

  function wake(): void {
    for (const resolve of [...waiting]) resolve();
  }

  async function ready(giveUpAtMs: number): Promise<boolean> {
    while (!closed && commands.status !== "ready") {
      const leftMs = giveUpAtMs - monotonicMs();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, leftMs);
        waiting.add(done);
      });
    }
    return !closed;
  }

  return {
    async send(list: readonly RedisCommand[], giveUpAtMs: number): Promise<Sent> {
      if (!(await ready(giveUpAtMs))) return { kind: "unsent" };
      const leftMs = giveUpAtMs - monotonicMs();
      if (leftMs <= 0) return { kind: "unsent" };
      const pipeline = commands.pipeline(list.map((command) => [...command]));
      const results = await settledWithin(pipeline.exec(), leftMs);
      if (results === undefined) return { kind: "unknown" };
      return sentFrom(results);
    },

    subscribe(channel: string, onHint: (message?: Buffer) => void): () => void {
      const subscriber = connect(url, "subscriber", log);
      subscribers.add(subscriber);
      const onMessage = (_channel: Buffer, message: Buffer) => onHint(message);
      subscriber.on("messageBuffer", onMessage);
      subscriber.on("ready", () => {
        // What was published while there was no subscription is lost: the hint makes up for it.
        subscriber.subscribe(channel).then(
          () => onHint(),
          () => subscriber.disconnect(true),
        );
      });
      // An idle subscriber waits for nothing, so its silence proves nothing; a ping makes it wait for something.
      const heartbeat = setInterval(() => {
        if (subscriber.status === "ready") subscriber.ping().catch(() => undefined);
      }, heartbeatMs);
      heartbeats.add(heartbeat);
      return () => {
        clearInterval(heartbeat);
        heartbeats.delete(heartbeat);
        subscriber.removeListener("messageBuffer", onMessage);
        if (subscribers.delete(subscriber)) void end(subscriber);
      };
    },

    isReady: () => !closed && commands.status === "ready",

    isClosed: () => closed,

    backSinceMs: () => backSinceMs,

    async close(): Promise<void> {
      closed = true;
      wake();
      for (const heartbeat of heartbeats) clearInterval(heartbeat);
      const all = [commands, ...subscribers];
      subscribers.clear();
      await Promise.all(all.map(end));
    },
  };
}

function connect(url: string, role: "commands" | "subscriber", log: Log | undefined): Redis {
  const options = {
    connectionName: `cutover-${role}`,
    connectTimeout: silenceMs,
    commandTimeout: silenceMs,
    socketTimeout: silenceMs,
    disconnectTimeout: 100,
    keepAlive: 5000,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(25 * attempt, maxRetryMs / 2) + Math.random() * (maxRetryMs / 2),
    // After a failover the old primary answers as a replica; the address may by now lead to the new one.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  } satisfies RedisOptions;
  if (!URL.canParse(url)) throw new Error("the store's URL does not read as redis://HOST:PORT");
  const redis = new Redis(url, options);
  let reported = "";
  redis.on("error", (error) => {
    const code = codeOf(error);
    if (code === reported) return;
    reported = code;
    log?.warn({ store: "redis", connection: role, code }, "no connection to the store");
  });
  redis.on("ready", () => {
    if (reported !== "") log?.info({ store: "redis", connection: role }, "connected to the store again");
    reported = "";
  });
  return redis;
}

function end(redis: Redis): Promise<void> {
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

type Results = readonly (readonly [error: Error | null, result: unknown])[];

async function settledWithin(work: Promise<Results | null>, ms: number): Promise<Results | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return (await Promise.race([work, timeout])) ?? undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function sentFrom(results: Results): Sent {
  const replies: Reply[] = [];
  for (const [error, value] of results) {
    if (error === null) replies.push({ ok: true, value });
    else if (error.name === "ReplyError") replies.push({ ok: false, code: codeOf(error) });
    // ioredis refuses a command while the connection is going down: it never reached the socket.
    else if (error.message.startsWith("Stream isn't writeable")) return { kind: "unsent" };
    else return { kind: "unknown" };
  }
  return { kind: "answered", replies };
}

/** The error in one word: a Redis error's first, or Node's code. Its text may quote arguments or addresses. */
function codeOf(error: Error): string {
  if ("code" in error && typeof error.code === "string") return error.code;
  if (/^(?:Socket timeout|Command timed out)/.test(error.message)) return "ETIMEDOUT";
  const [word = ""] = error.message.split(" ", 1);
  return /^[A-Z]{2,20}$/.test(word) ? word : "ERROR";
}
