/** Awaits a condition by asking again and again; fails, saying what was awaited, when it does not come true. */
export async function until(what: string, condition: () => boolean, withinMs = 5000): Promise<void> {
  const deadline = performance.now() + withinMs;
  // On a machine too busy to run this process the clock alone says nothing.
  for (let asked = 0; !condition(); asked++) {
    if (performance.now() > deadline && asked > 20) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Waits until a number has stopped changing; @returns it */
export async function settled(read: () => number): Promise<number> {
  let last = -1;
  let since = performance.now();
  while (performance.now() - since < 300) {
    const now = read();
    if (now !== last) {
      last = now;
      since = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return last;
}

/** Passes one turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Awaits what has to be asked for, again and again.
 *
 * @returns how long it took, in ms
 */
export async function eventually(
  what: string,
  holds: () => Promise<boolean>,
  withinMs: number,
): Promise<number> {
  const begun = performance.now();
  while (!(await holds())) {
    if (performance.now() - begun > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resume) => setTimeout(resume, 10));
  }
  return performance.now() - begun;
}
