/** The fleet as this instance knows it through the store, and how long changes take to reach it, as metrics. */
import { Gauge, Histogram, type Registry } from "prom-client";
import { type Clock, systemTimers, within } from "../base/clock.ts";
import type { Propagation } from "../state/follow/propagation.ts";
import type { Roll } from "../state/follow/roll.ts";
import type { Following } from "../state/follow/snapshot.ts";
import type { Proposal } from "../state/rules/approval.ts";

/** From a change on the same host to one that was cut off for half an hour. */
const propagationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600];

/** A scrape does not wait longer than this for the store. */
const patienceMs = 1000;

interface FleetOptions {
  readonly following: Following;
  readonly roll: Roll;
  readonly propagation: Pick<Propagation, "onTook">;
  /** Names of the cutovers in which something may wait for another person; asked at a scrape. */
  readonly approved: () => readonly string[];
  /** What waits, by the store. */
  readonly proposal: (name: string) => Promise<Proposal | undefined>;
  readonly clock: Pick<Clock, "now">;
}

export function addFleetMetrics(registry: Registry, options: FleetOptions): void {
  const { roll } = options;
  const registers = [registry];
  new Gauge({
    name: "cutover_instances",
    help: "Instances that this one knows of through the store: live, or silent, whose lease is over and who have not left.",
    labelNames: ["state"],
    registers,
    collect() {
      const members = roll.members();
      const silent = members.filter(({ isLapsed }) => isLapsed).length;
      this.set({ state: "live" }, members.length - silent);
      this.set({ state: "silent" }, silent);
    },
  });
  const propagation = new Histogram({
    name: "cutover_propagation_seconds",
    help: "Time from the store's acceptance of a change until this instance decides by it, by the store's clock.",
    buckets: propagationBounds,
    registers,
  });
  options.propagation.onTook((ms) => propagation.observe(ms / 1000));
  showProposals(registry, options);
}

function showProposals(
  registry: Registry,
  { following, approved, proposal, clock }: Omit<FleetOptions, "roll" | "propagation">,
): void {
  async function isWaiting(name: string): Promise<boolean> {
    const found = await within(patienceMs, systemTimers, proposal(name));
    const version = following.current().states.get(name)?.version;
    return found !== undefined && found.version === version && clock.now() < Date.parse(found.expiresAt);
  }
  new Gauge({
    name: "cutover_proposals_open",
    help: "1 while a change waits for another person, else 0; absent while the store does not say. Of cutovers with an approval block.",
    labelNames: ["cutover"],
    registers: [registry],
    async collect() {
      const names = following.contact().up ? approved() : [];
      const found = await Promise.all(
        names.map(async (cutover) => ({
          cutover,
          waits: await isWaiting(cutover).catch(() => undefined),
        })),
      );
      this.reset();
      for (const { cutover, waits } of found) if (waits !== undefined) this.set({ cutover }, waits ? 1 : 0);
    },
  });
}
