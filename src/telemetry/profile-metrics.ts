/** What a person finds an instance by, and by which configuration it goes, as metrics. */
import { Gauge, type Registry } from "prom-client";
import type { InstanceProfile } from "../state/rules/completion.ts";

/** @param read asked at a scrape */
export function addProfileMetrics(registry: Registry, id: string, read: () => InstanceProfile): void {
  new Gauge({
    name: "cutover_instance_info",
    help: "Always 1; the labels are what a person finds this instance by.",
    labelNames: ["instance_id", "name", "address", "pid"],
    registers: [registry],
    collect() {
      const { name = "", address = "", pid = 0 } = read();
      this.reset();
      this.set({ instance_id: id, name, address, pid: String(pid) }, 1);
    },
  });
  const gauge = (name: string, help: string, value: (profile: InstanceProfile) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(read()));
      },
    });
  gauge(
    "cutover_config_hash",
    "48 bits of a digest of the configuration in force, the same on all instances that decide alike. Secrets and what is an instance's own are left out.",
    ({ config }) => Number.parseInt(config?.hash ?? "0", 16),
  );
  gauge(
    "cutover_config_reload_success",
    "1 if the configuration that was read last is in force, 0 if it was refused.",
    ({ config }) => (config?.refusedAt === undefined ? 1 : 0),
  );
  gauge(
    "cutover_config_reload_timestamp_seconds",
    "When the configuration in force was read.",
    ({ config }) => Date.parse(config?.loadedAt ?? "") / 1000,
  );
}
