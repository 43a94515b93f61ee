/** The program of a worker process: started by a primary (workers above 1), never by hand. */

import { createLink } from "./instance/workers/link.ts";
import { runWorker } from "./instance/workers/worker.ts";

// What is sent to the whole group (Ctrl-C, a supervisor) is for the primary, which tells its workers.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
  process.on(signal, () => undefined);
}
runWorker(createLink(), () => process.exit(0));
