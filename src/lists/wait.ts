/** Waiting for lists before anything is served by them. */
import { type Timers, within } from "../base/clock.ts";
import type { ListKeeper } from "./keeper.ts";

const pauseMs = 50;

/** What is waited for them. */
interface Patience {
  readonly forMs: number;
  /** Whether the source is there for sure, though it be silent; another is not waited for then. */
  readonly isNear: boolean;
}

/** A store, at a start and for a configuration that is the first to name a list. */
export const storePatience: Patience = { forMs: 10_000, isNear: false };

/**
 * Who serves before its lists are loaded sends its first shoppers elsewhere: waits for them, for so long at most. What
 * comes late in a busy hour is asked for again.
 */
export async function waitForLists(
  { refresh }: Pick<ListKeeper, "refresh">,
  timers: Timers,
  { forMs, isNear }: Patience,
): Promise<void> {
  let isOver = false;
  const attempts = async () => {
    while (!isOver) {
      const how = await refresh();
      if (how === "loaded" || (how === "silent" && !isNear)) return;
      await new Promise<void>((resolve) => void timers.after(pauseMs, resolve));
    }
  };
  await within(forMs, timers, attempts()).catch(() => undefined);
  isOver = true;
}
