/** Awaits a condition by asking again and again; fails, saying what was awaited, when it does not come true. */
export async function until(what: string, condition: () => boolean, withinMs = 5000): Promise<void> {
  const deadline = performance.now() + withinMs;
  // On a machine too busy to run this process the clock alone says nothing.
  for (let asked = 0; !condition(); asked++) {
    if (performance.now() > deadline && asked > 20) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Passes one turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
