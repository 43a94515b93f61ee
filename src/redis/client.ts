/**
 * The connections to Redis, and the only place that knows what ioredis does when a server is away, frozen, loading
 * or not the primary. Three things are promised: every call ends by the moment its caller names; a caller learns
 * whether a command that got no answer may have been sent; and once Redis has been away for a second, a call fails
 * at once, until a server has answered again.
 */
import type { LookupFunction } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Log } from "../base/log.ts";
import { end, openConnection, type RedisCommand, type RedisConnection, type Results } from "./connection.ts";
import { parseRedisUrl } from "./url.ts";
import { replyCodeOf } from "./words.ts";

/** An answer; an error reply by its code, e.g. `NOSCRIPT`. */
export type RedisReply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string };

export type Sent =
  | { readonly kind: "answered"; readonly replies: readonly RedisReply[] }
  /** Nothing was sent. */
  | { readonly kind: "unsent" }
  /** Sent, or perhaps sent, and no answer: the server may have done it, or may yet do it. */
  | { readonly kind: "unknown" };

/** @param isSure the message came from the server that answers commands, so that this one knows the change as well */
type OnHint = (message?: Buffer, isSure?: boolean) => void;

export interface RedisClient {
  /** Sends the commands in one go. Resolves by `giveUpAtMs` (of `monotonicMs`) at the latest; never rejects. */
  send(commands: readonly RedisCommand[], giveUpAtMs: number): Promise<Sent>;
  /**
   * Calls back with each message of the channel, and without one whenever messages may have been missed and are heard
   * again.
   *
   * @param onLost messages may be missed from now on
   * @returns the way out
   */
  subscribe(channel: string, onHint: OnHint, onLost?: () => void): () => void;
  /** Whether a command would be sent now; `send` else waits for the connection, as long as Redis is not away. */
  isReady(): boolean;
  /** Whether there has been no connection for a second: `send` then fails at once. */
  isAway(): boolean;
  isClosed(): boolean;
  /** The word of a server that answers and lets this client not in: WRONGPASS, NOAUTH; `undefined`: there is none. */
  refusal(): string | undefined;
  /** The server has refused something in this error's words, within an answer. */
  refusedWithin(error: Error): void;
  /** When the connection for commands was last ready again after a failure (of `monotonicMs`); -Infinity: never. */
  backSinceMs(): number;
  close(): Promise<void>;
}

/** How long a connection may be gone before it counts as away: a restart or a reconnect takes less. */
const graceMs = 1000;

/** A caller that asks a Redis that is away again and again does not keep the process from all else. */
const refuseMs = 2;

/** A subscriber that is silent is noticed after this and the connection's own bound. */
const heartbeatMs = 1000;
/** After its node has ended. */
const reopenMs = 200;

/** Milliseconds of a clock that never steps back. Real time: sockets know no other. */
export function monotonicMs(): number {
  return performance.now();
}

/**
 * Connects in the background: a server that is away makes the calls fail, not this.
 *
 * @param url as url.ts reads it
 * @param lookup finds the addresses of hosts by name; one of its own when absent
 * @throws Error when the URL is not one, or the file of certificates it names cannot be read; the URL's text is not
 *   repeated, it may hold a password
 */
export function createRedisClient(url: string, log?: Log, lookup?: LookupFunction): RedisClient {
  const parsed = parseRedisUrl(url);
  if (parsed === undefined) throw new Error("the store's URL does not read as redis://HOST:PORT");
  const connection = openConnection(parsed, log, lookup);
  const presence = createPresence(connection);
  const subscriptions = new Set<() => Promise<void>>();

  return {
    async send(list: readonly RedisCommand[], giveUpAtMs: number): Promise<Sent> {
      if (!(await presence.ready(giveUpAtMs))) {
        if (!presence.isClosed()) await sleep(refuseMs);
        return { kind: "unsent" };
      }
      const leftMs = giveUpAtMs - monotonicMs();
      if (leftMs <= 0) return { kind: "unsent" };
      const results = await settledWithin(connection.dispatch(list), leftMs);
      return results === undefined ? { kind: "unknown" } : sentFrom(results);
    },

    subscribe(channel: string, onHint: OnHint, onLost?: () => void): () => void {
      const leave = openSubscription(connection, channel, onHint, onLost);
      subscriptions.add(leave);
      return () => {
        if (subscriptions.delete(leave)) void leave();
      };
    },

    isReady: presence.isReady,
    isAway: presence.isAway,
    isClosed: presence.isClosed,
    refusal: connection.refusal,
    refusedWithin: connection.refusedWithin,
    backSinceMs: presence.backSinceMs,

    async close(): Promise<void> {
      presence.close();
      const all = [...subscriptions];
      subscriptions.clear();
      await Promise.all([connection.end(), ...all.map((leave) => leave())]);
    },
  };
}

interface Presence extends Pick<RedisClient, "isReady" | "isAway" | "isClosed" | "backSinceMs"> {
  /** Waits for a server that answers. @returns false when there was none by then, or Redis is away */
  ready(giveUpAtMs: number): Promise<boolean>;
  close(): void;
}

/** Whether a server answers. A connection that is open only counts once a server has proved itself on it. */
function createPresence(connection: RedisConnection): Presence {
  const waiting = createWaiting();
  let closed = false;
  let isTroubled = false;
  let backSinceMs = Number.NEGATIVE_INFINITY;
  /** `undefined` while a server answers. */
  let downSinceMs: number | undefined = monotonicMs();
  /** Tells the proofs of one connection from those of the next. */
  let opened = 0;

  connection.onClosed(() => {
    isTroubled = true;
    opened += 1;
    downSinceMs ??= monotonicMs();
  });
  connection.onMended(() => {
    backSinceMs = monotonicMs();
  });
  connection.onOpen(() => {
    opened += 1;
    const mine = opened;
    connection.prove().then(
      () => {
        if (mine === opened) isUp();
      },
      () => {
        if (mine === opened && !closed) connection.renew();
      },
    );
  });

  function isUp(): void {
    if (isTroubled) backSinceMs = monotonicMs();
    isTroubled = false;
    downSinceMs = undefined;
    waiting.wake();
  }

  const isReady = () => !closed && downSinceMs === undefined && connection.isOpen();
  return {
    isReady,
    isAway: () => downSinceMs !== undefined && monotonicMs() - downSinceMs >= graceMs,
    isClosed: () => closed,
    backSinceMs: () => backSinceMs,
    async ready(giveUpAtMs) {
      while (!closed && !isReady()) {
        const awayAtMs = (downSinceMs ?? monotonicMs()) + graceMs;
        const leftMs = Math.min(giveUpAtMs, awayAtMs) - monotonicMs();
        if (leftMs <= 0) return false;
        await waiting.pause(leftMs);
      }
      return !closed;
    },
    close() {
      closed = true;
      waiting.wake();
    },
  };
}

/** Pauses that end early when something has changed. */
function createWaiting(): { pause(ms: number): Promise<void>; wake(): void } {
  const waiting = new Set<() => void>();
  return {
    pause: (ms) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        waiting.add(done);
      }),
    wake() {
      for (const resolve of [...waiting]) resolve();
    },
  };
}

/**
 * Calls back with each message, and without one whenever messages may have been missed.
 *
 * @param connection its new connection that reconnects by itself is kept, one that ends is replaced
 * @returns the way out
 */
function openSubscription(
  connection: Pick<RedisConnection, "subscriber" | "isFromServer" | "isAstray">,
  channel: string,
  onHint: OnHint,
  onLost?: () => void,
): () => Promise<void> {
  let isClosed = false;
  let reopening: NodeJS.Timeout | undefined;
  let subscriber = begin();

  function begin(): Redis {
    const redis = connection.subscriber();
    redis.on("messageBuffer", (_channel: Buffer, message: Buffer) => {
      if (!isClosed) onHint(message, connection.isFromServer(redis));
    });
    redis.on("ready", () => {
      // What was published while there was no subscription is lost: the hint makes up for it.
      redis.subscribe(channel).then(
        () => {
          if (!isClosed) onHint();
        },
        () => redis.disconnect(true),
      );
    });
    redis.on("close", () => {
      if (!isClosed) onLost?.();
    });
    redis.on("end", () => {
      if (isClosed) return;
      reopening = setTimeout(() => {
        subscriber = begin();
      }, reopenMs);
    });
    return redis;
  }

  // An idle subscriber waits for nothing, so its silence proves nothing; a ping makes it wait for something.
  const heartbeat = setInterval(() => {
    if (subscriber.status !== "ready") return;
    if (connection.isAstray(subscriber)) subscriber.disconnect(true);
    else subscriber.ping().catch(() => undefined);
  }, heartbeatMs);

  return async () => {
    isClosed = true;
    clearInterval(heartbeat);
    clearTimeout(reopening);
    await end(subscriber);
  };
}

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

/** ioredis refuses a command while the connection is going down or the Cluster is unknown: nothing reached a socket. */
const refusedBeforeSending = /^(?:Stream isn't writeable|Cluster isn't ready)/;

function sentFrom(results: Results): Sent {
  const replies: RedisReply[] = [];
  let unanswered = 0;
  let unsent = 0;
  for (const [error, value] of results) {
    if (error === null) replies.push({ ok: true, value });
    else if (error.name === "ReplyError") replies.push({ ok: false, code: replyCodeOf(error) });
    else {
      unanswered += 1;
      if (refusedBeforeSending.test(error.message)) unsent += 1;
    }
  }
  if (unanswered === 0) return { kind: "answered", replies };
  return { kind: unsent === results.length ? "unsent" : "unknown" };
}
