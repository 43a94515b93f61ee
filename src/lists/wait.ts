/** Waiting for lists before anything is served by them. */
import { type Timers, within } from "../base/clock.ts";
import type { ListKeeper } from "./keeper.ts";

/** How long a start, or a configuration, waits for its lists: a worker starts within 30 seconds, or not at all. */
const firstMs = { near: 20_000, far: 10_000 };
const pauseMs = 50;

/**
 * Who serves before its lists are loaded sends its first shoppers elsewhere: waits for them, for so long at most. What
 * comes late in a busy hour is asked for again.
 *
 * @param isNear whether the source is there for sure, though it be silent; another is not waited for then
 */
export async function waitForLists(
  { refresh }: Pick<ListKeeper, "refresh">,
  timers: Timers,
  isNear: boolean,
): Promise<void> {
  let isOver = false;
  const attempts = async () => {
    while (!isOver) {
      const how = await refresh();
      if (how === "loaded" || (how === "silent" && !isNear)) return;
      await new Promise<void>((resolve) => void timers.after(pauseMs, resolve));
    }
  };
  await within(isNear ? firstMs.near : firstMs.far, timers, attempts()).catch(() => undefined);
  isOver = true;
}
