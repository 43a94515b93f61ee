/**
 * Tells one receiver what waits for it, one message at a time and in order, until it has answered 2xx. Anything else is
 * tried again: after a second, then twice as long each time up to five minutes, with some chance in it, for a day; a
 * receiver that says it is gone (410) is told nothing more of that message. Redirects are not followed: what is signed for one
 * place is not for another. Of an answer nothing but its status is read.
 */
import type { Clock, Timers } from "../base/clock.ts";
import { codeOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Queue, Undelivered } from "./queue.ts";
import { signedFields } from "./sign.ts";

export interface Receiver {
  readonly url: string;
  /** Of its URL: what it is known by in the queue. */
  readonly digest: string;
  /** What people are told of it: host and port, no secret. */
  readonly host: string;
  readonly secrets: readonly string[];
}

export type DeliveryOutcome = "delivered" | "failed" | "dropped";

interface Courier {
  /** Something waits. */
  wake(): void;
  /** Ends what is under way; it waits on. */
  stop(): Promise<void>;
}

interface CourierOptions {
  readonly receiver: Receiver;
  readonly queue: Pick<Queue, "next" | "done">;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Timers;
  readonly log: Log;
  readonly onOutcome: (outcome: DeliveryOutcome) => void;
  /** 0 ≤ r < 1. */
  readonly random?: () => number;
  /** 10 s without it. */
  readonly answerMs?: number;
}

const firstRetryMs = 1000;
const longestRetryMs = 300_000;
const keptMs = 86_400_000;
const gone = 410;

export function createCourier(options: CourierOptions): Courier {
  const { receiver, queue, clock, timers, log, onOutcome, random = Math.random, answerMs = 10_000 } = options;
  const stopping = new AbortController();
  let retryMs = firstRetryMs;
  let cancel: (() => void) | undefined;
  let telling: Promise<void> | undefined;

  async function send({ id, body }: Undelivered): Promise<number> {
    const response = await fetch(receiver.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "cutover",
        ...signedFields(receiver.secrets, id, clock.now(), body),
      },
      body,
      redirect: "manual",
      signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(answerMs)]),
    });
    // Whatever it says at length is not waited for.
    response.body?.cancel().catch(() => undefined);
    return response.status;
  }

  function giveUp(item: Undelivered, why: string): void {
    log.error({ webhook: receiver.host, id: item.id, why }, "a webhook was not delivered and is given up");
    queue.done(item);
    onOutcome("dropped");
  }

  function failed(item: Undelivered, why: string): void {
    onOutcome("failed");
    if (clock.now() - item.sinceMs >= keptMs) {
      giveUp(item, why);
      return;
    }
    if (retryMs === firstRetryMs)
      log.warn(
        { webhook: receiver.host, id: item.id, why },
        "a webhook was not delivered: it is tried again",
      );
    const waitMs = retryMs * (0.75 + 0.25 * random());
    retryMs = Math.min(2 * retryMs, longestRetryMs);
    cancel = timers.after(waitMs, () => {
      cancel = undefined;
      wake();
    });
  }

  async function tellAll(): Promise<void> {
    for (let item = queue.next(receiver.digest); item !== undefined; item = queue.next(receiver.digest)) {
      let status: number | undefined;
      let why = "";
      try {
        status = await send(item);
      } catch (error) {
        if (stopping.signal.aborted) return;
        why = wordOf(error);
      }
      if (status !== undefined && status >= 200 && status < 300) {
        queue.done(item);
        retryMs = firstRetryMs;
        onOutcome("delivered");
      } else if (status === gone) giveUp(item, "status 410");
      else return failed(item, status === undefined ? why : `status ${status}`);
    }
  }

  function wake(): void {
    if (cancel !== undefined || stopping.signal.aborted) return;
    telling ??= tellAll().finally(() => {
      telling = undefined;
      if (cancel === undefined && queue.next(receiver.digest) !== undefined) wake();
    });
  }

  return {
    wake,
    async stop() {
      stopping.abort();
      cancel?.();
      await telling;
    },
  };
}

/** Its code or name alone: an error's text may tell the URL, whose path may be a secret. */
function wordOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return codeOf(cause) ?? (error instanceof Error ? error.name : "error");
}
