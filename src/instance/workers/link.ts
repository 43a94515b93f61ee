/** A worker's end of the channel to its primary. */
import { systemTimers, within } from "../../base/clock.ts";
import { type FromWorker, type StoreQuestion, type StoreReply, type ToWorker, toWorker } from "./messages.ts";

export interface Link {
  /** Resolves when it is on its way, or nobody is there to hear it. */
  send(message: FromWorker): Promise<void>;
  /** Hears messages in the order they were sent; one that is not of this protocol is dropped. */
  onMessage(listener: (message: ToWorker) => void): void;
  /**
   * @param withinMs of what no request waits for
   * @throws StoreUnavailable when no reply comes in time
   */
  ask(question: StoreQuestion, withinMs?: number): Promise<StoreReply>;
}

/** How long a request may wait for a reply. */
const replyWithinMs = 250;

/** @throws Error when the process was not started by a primary */
export function createLink(): Link {
  if (process.send === undefined) throw new Error("this program is started by cutover serve, not by hand");
  const waiting = new Map<number, (reply: StoreReply) => void>();
  const listeners = new Set<(message: ToWorker) => void>();
  let last = 0;

  const send = (message: FromWorker) =>
    new Promise<void>((resolve) => {
      // A primary that is gone takes the worker with it: nothing is left to tell it.
      if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
      else resolve();
    });
  process.on("message", (received) => {
    const { data: message } = toWorker.safeParse(received);
    if (message?.type === "reply") {
      waiting.get(message.seq)?.(message.reply);
      waiting.delete(message.seq);
    } else if (message !== undefined) {
      for (const listener of listeners) listener(message);
    }
  });

  return {
    send,
    onMessage: (listener) => void listeners.add(listener),
    async ask(question, withinMs = replyWithinMs) {
      const seq = ++last;
      const reply = new Promise<StoreReply>((resolve) => waiting.set(seq, resolve));
      void send({ type: "ask", seq, question });
      try {
        return await within(withinMs, systemTimers, reply);
      } finally {
        waiting.delete(seq);
      }
    },
  };
}
