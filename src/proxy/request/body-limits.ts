/**
 * The bounds of a request's body, and what is looked after while the body is under way.
 *
 * Size: a body declared too large is refused unread. One that nobody declared (chunked) is counted as it passes, and
 * stopped by the chunk that exceeds the limit, so that at most one chunk more than the limit is ever in memory.
 *
 * Pace: a client that is awaited has to send. When it sent less than 1 KiB within `paceMs`, although its body was being
 * read all the time, it is too slow (a slow-loris attack, or a dead peer). A pause of the upstream's is not the
 * client's: a body that nobody reads just now is not judged. Measuring begins once a body has been under way for
 * `paceMs`. Most bodies are over by then and cost one timer; one that stalls ends within twice that time.
 *
 * Presence: nobody hears of a client's reset while its body is not read, because its connection is not read either. So
 * the client is looked for then.
 */
import { Readable } from "node:stream";
import { lostAfterMs } from "../listen/lost-peer.ts";

export interface BodyLimits {
  readonly maxBytes: number;
  readonly paceMs: number;
}

const leastBytes = 1024;

/**
 * The body, up to `maxBytes`. It is read only as it is read from, and no more once it was too large.
 *
 * @param onExceeded called once, before the Readable breaks off
 */
export function boundedBody(body: Readable, maxBytes: number, onExceeded: () => void): Readable {
  let passed = 0;
  let begun = false;
  const bounded = new Readable({
    read() {
      if (!begun) {
        begun = true;
        body.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onClose);
      }
      body.resume();
    },
  });
  const onData = (chunk: Buffer) => {
    passed += chunk.length;
    if (passed > maxBytes) {
      release();
      onExceeded();
      bounded.destroy();
    } else if (!bounded.push(chunk)) body.pause();
  };
  const onEnd = () => {
    release();
    bounded.push(null);
  };
  const onBroken = () => bounded.destroy(new Error("the client broke off"));
  const onClose = () => {
    if (!body.readableEnded) onBroken();
  };
  const release = () => {
    body.off("data", onData).off("end", onEnd).off("close", onClose);
    body.pause();
  };
  // Its reader listens for errors too. Before there is one nobody does, and an unheard error ends the process.
  bounded.on("error", () => {});
  return bounded;
}

interface BodyWatch {
  readonly paceMs: number;
  /** Whether the client is gone though nobody was told (inbound.ts); asked while the body is not read. */
  readonly isLost: (() => boolean) | undefined;
  /** Called once, and nothing after it. */
  onSlow(): void;
  /** Called once, and nothing after it. */
  onLost(): void;
}

/** @returns ends the watch */
export function watchBody(body: Readable, { paceMs, isLost, onSlow, onLost }: BodyWatch): () => void {
  const tickMs = Math.min(lostAfterMs, paceMs);
  const ticksOfPace = Math.round(paceMs / tickMs);
  let ticks = 0;
  let received = 0;
  /** Whether the body was read in the time being measured; one that is read flows. */
  let wasRead = false;
  const onData = (chunk: Buffer) => {
    received += chunk.length;
  };
  const timer = setInterval(() => {
    if (body.readableEnded || body.destroyed) return stop();
    const isRead = body.readableFlowing === true;
    if (!isRead && isLost?.() === true) {
      stop();
      onLost();
      return;
    }
    ticks += 1;
    if (ticks < ticksOfPace) return;
    ticks = 0;
    if (wasRead && isRead && received < leastBytes) {
      stop();
      onSlow();
      return;
    }
    received = 0;
    // To listen is not to read, as long as somebody else does.
    body.off("data", onData);
    if (isRead) body.on("data", onData);
    wasRead = isRead;
  }, tickMs);
  function stop(): void {
    clearInterval(timer);
    body.off("data", onData);
  }
  return stop;
}
