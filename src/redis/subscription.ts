/** A subscription to one channel, on a connection of its own that is replaced when it falls silent. */
import type { Redis } from "ioredis";
import { end, type RedisConnection } from "./connection.ts";

const heartbeatMs = 1000;
const reopenMs = 200;

/** @param isSure of the message: it came from the server that the commands go to, which knows what it tells of */
export type OnHint = (message?: Buffer, isSure?: boolean) => void;

/**
 * Calls back with each message, and without one whenever messages may have been missed.
 *
 * @param connection its new connection that reconnects by itself is kept, one that ends is replaced
 * @returns the way out
 */
export function openSubscription(
  connection: Pick<RedisConnection, "subscriber" | "isFromServer">,
  channel: string,
  onHint: OnHint,
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
    if (subscriber.status === "ready") subscriber.ping().catch(() => undefined);
  }, heartbeatMs);

  return async () => {
    isClosed = true;
    clearInterval(heartbeat);
    clearTimeout(reopening);
    await end(subscriber);
  };
}
