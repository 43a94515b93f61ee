/**
 * What the process itself uses: CPU, memory, event-loop lag, garbage collection, file descriptors. The names are
 * those of prom-client and of every Node dashboard (`process_*`, `nodejs_*`), so they carry no prefix; the number
 * of series is fixed.
 *
 * Left out of prom-client's set: active handles, requests and resources, each with its total. The totals are
 * gauges with a counter's suffix, which `promtool check metrics` refuses, and counting them walks every open
 * socket. Open file descriptors are counted without blocking: the directory has an entry a connection.
 */
import { readdir } from "node:fs/promises";
import { collectDefaultMetrics, Gauge, type Registry } from "prom-client";

const leftOut = [
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_requests",
  "nodejs_active_requests_total",
  "nodejs_active_resources",
  "nodejs_active_resources_total",
  "process_open_fds",
];

/** Adds the metrics to the registry. Once a process: it starts observers that live as long as the process. */
export function addProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register });
  for (const name of leftOut) register.removeSingleMetric(name);

  new Gauge({
    name: "process_open_fds",
    help: "Number of open file descriptors.",
    registers: [register],
    async collect(this: Gauge): Promise<void> {
      const open = await openDescriptors();
      if (open !== undefined) this.set(open);
    },
  });
}

/** Absent where the system has no /proc. */
async function openDescriptors(): Promise<number | undefined> {
  try {
    const entries = await readdir("/proc/self/fd");
    return entries.length - 1; // the one that reads the directory
  } catch {
    return undefined;
  }
}
