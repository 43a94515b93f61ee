/** What an instance with workers says of them. The `process_*` metrics beside these are the primary's own. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface WorkerUse {
  /** Since it started. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

export interface WorkerMetrics {
  told(worker: number, use: WorkerUse): void;
  gone(worker: number): void;
}

export function createWorkerMetrics(registry: Registry): WorkerMetrics {
  const known = new Map<number, WorkerUse>();
  const registers = [registry];
  new Gauge({
    name: "cutover_workers",
    help: "Worker processes that live, those that drain included.",
    registers,
    collect() {
      this.set(known.size);
    },
  });
  new Gauge({
    name: "cutover_workers_resident_memory_bytes",
    help: "Resident memory of all workers together.",
    registers,
    collect() {
      this.set([...known.values()].reduce((sum, { residentBytes }) => sum + residentBytes, 0));
    },
  });
  const cpu = new Counter({
    name: "cutover_workers_cpu_seconds_total",
    help: "User and system CPU time of all workers, those that are gone included.",
    registers,
  });
  const exits = new Counter({
    name: "cutover_worker_exits_total",
    help: "Worker processes that have ended, for whatever reason.",
    registers,
  });
  return {
    told(worker, use) {
      cpu.inc(Math.max(0, use.cpuSeconds - (known.get(worker)?.cpuSeconds ?? 0)));
      known.set(worker, use);
    },
    gone(worker) {
      known.delete(worker);
      exits.inc();
    },
  };
}
