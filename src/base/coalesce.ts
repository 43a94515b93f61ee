/**
 * One run at a time. A call during a run causes exactly one more run after it, however many calls there were,
 * because the run under way may already have read what has changed since.
 *
 * @param run must not reject
 * @returns asks for a run; resolves when a run that began after the asking is over
 */
export function coalesce(run: () => Promise<void>): () => Promise<void> {
  let running = false;
  let waiting: (() => void)[] = [];

  async function drain(): Promise<void> {
    running = true;
    while (waiting.length > 0) {
      const served = waiting;
      waiting = [];
      await run();
      for (const done of served) done();
    }
    running = false;
  }

  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (!running) void drain();
    });
}
