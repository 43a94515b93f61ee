/** The life of a sample process: runs until SIGINT or SIGTERM, closes, and leaves with 0. */
interface Closable {
  close(): Promise<void>;
}

/**
 * Starts, waits for a signal, closes. Sets the process's exit code: 0, or 1 with the reason on stderr when it
 * could not start.
 */
export async function untilSignal(start: () => Promise<Closable>): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  try {
    const started = await start();
    // The listeners do not keep the process alive by themselves; what was started does.
    await signalled;
    await started.close();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
