/** How the audit file stands, as metrics. Without such a file there are none. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { JournalStatus } from "./journal.ts";

export function createAuditMetrics(registry: Registry, status: () => JournalStatus): void {
  const gauge = (name: string, help: string, read: (status: JournalStatus) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(status()));
      },
    });
  gauge("cutover_audit_up", "0 while the audit file can not be written, else 1.", ({ up }) => (up ? 1 : 0));
  gauge(
    "cutover_audit_waiting_lines",
    "Lines that are not in the audit file yet: lost with the process.",
    ({ waiting }) => waiting,
  );
  let told = 0;
  new Counter({
    name: "cutover_audit_omitted_total",
    help: "Lines left out of the audit file: refusals above the rate, or what came when 10,000 were waiting.",
    registers: [registry],
    collect() {
      const { omitted } = status();
      this.inc(omitted - told);
      told = omitted;
    },
  });
}
