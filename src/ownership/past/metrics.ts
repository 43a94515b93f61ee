/** What is in doubt in the fleet, as gauges, absent while the store cannot tell; and the notes that were lost. */
import { Counter, Gauge, type Registry } from "prom-client";
import { sides } from "../../state/rules/model.ts";
import type { DoubtCount, DoubtCounts, PastStore } from "./port.ts";

interface PastCounts {
  readonly lost: (notes: number) => void;
  /** A request with a key was sent before that was on the disk of this host. */
  readonly unwritten: () => void;
}

export function createPastCounts(registry: Registry): PastCounts {
  const lost = new Counter({
    name: "cutover_past_notes_lost_total",
    help: "Notes of past requests that were lost: too many waited for the store, or it had no room, or refused them. How such a request was decided, or that it is in doubt, is not known.",
    registers: [registry],
  });
  const unwritten = new Counter({
    name: "cutover_past_unwritten_total",
    help: "Requests with a key that were sent without being written down on this host before: its disk was slow, full or refused it, or too many were under way. Should the process be killed within two seconds of that, nobody knows that they are in doubt.",
    registers: [registry],
  });
  return { lost: (notes) => lost.inc(notes), unwritten: () => unwritten.inc() };
}

interface DoubtGauges {
  /** Those whose requests may have a key, and whose store is asked now. */
  readonly cutovers: () => readonly string[];
  readonly store: Pick<PastStore, "counts">;
  /** Ms since the epoch. */
  readonly now: () => number;
}

const fleetWide = "Of the whole fleet, the same on every instance: take the max, not the sum.";

export function createDoubtGauges(registry: Registry, { cutovers, store, now }: DoubtGauges): void {
  let reading: Promise<ReadonlyMap<string, DoubtCounts>> | undefined;
  async function read(): Promise<ReadonlyMap<string, DoubtCounts>> {
    const names = cutovers();
    const counts = await store.counts(names).catch(() => []);
    return new Map(
      names.flatMap((name, i) => {
        const told = counts[i];
        return told === undefined ? [] : [[name, told] as const];
      }),
    );
  }
  /** Both gauges of a scrape share an answer. */
  const readOnce = () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  const gauge = (name: string, help: string, value: (count: DoubtCount) => number) =>
    new Gauge({
      name,
      help: `${help} ${fleetWide}`,
      labelNames: ["cutover", "side"],
      registers: [registry],
      async collect() {
        const all = await readOnce();
        this.reset();
        for (const [cutover, counts] of all)
          for (const side of sides) this.set({ cutover, side }, value(counts[side]));
      },
    });
  gauge(
    "cutover_requests_in_doubt",
    "Requests with a key that were sent and not answered, and that neither a later answer nor a person has settled.",
    ({ count }) => count,
  );
  gauge(
    "cutover_oldest_in_doubt_seconds",
    "For how long the oldest of them has been in doubt, 0 without any.",
    ({ oldestSinceMs }) => (oldestSinceMs === undefined ? 0 : Math.max(0, (now() - oldestSinceMs) / 1000)),
  );
}
