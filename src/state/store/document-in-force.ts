/** The document in force of a store of one process, changed one change at a time. */
import { StoreUnavailable } from "../../base/errors.ts";
import type { StateDocument, Step } from "./document.ts";
import type { Store } from "./port.ts";

interface DocumentInForceOptions {
  readonly document: StateDocument;
  /** Makes the document durable before it comes into force. */
  readonly persist?: (document: StateDocument) => Promise<void>;
  readonly onClose?: () => Promise<void>;
}

export interface DocumentInForce extends Pick<Store, "subscribe" | "close"> {
  /** @throws StoreUnavailable once it is closed */
  current(): StateDocument;
  /**
   * Runs one change after all those before it.
   *
   * @throws StoreUnavailable when it could not be made durable
   */
  change<T>(work: (before: StateDocument) => Step<T> & { readonly inForce?: () => void }): Promise<T>;
}

export function createDocumentInForce({
  document: first,
  persist,
  onClose,
}: DocumentInForceOptions): DocumentInForce {
  const listeners = new Set<() => void>();
  let document = first;
  let queue: Promise<unknown> = Promise.resolve();
  let closed = false;

  function current(): StateDocument {
    if (closed) throw new StoreUnavailable("the store is closed");
    return document;
  }

  async function replace(next: StateDocument): Promise<void> {
    try {
      await persist?.(next);
    } catch (cause) {
      throw new StoreUnavailable("the change could not be made durable", { cause });
    }
    document = next;
    for (const listener of listeners) queueMicrotask(listener);
  }

  return {
    current,
    change(work) {
      const turn = queue.then(async () => {
        const outcome = work(current());
        if (outcome.document !== document) await replace(outcome.document);
        outcome.inForce?.();
        return outcome.answer;
      });
      queue = turn.catch(() => undefined);
      return turn;
    },
    subscribe(onHint) {
      // Its own function, so that one listener subscribed twice is two subscriptions.
      const listener = () => {
        if (listeners.has(listener)) onHint();
      };
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      if (closed) return;
      closed = true;
      listeners.clear();
      await queue;
      await onClose?.();
    },
  };
}
