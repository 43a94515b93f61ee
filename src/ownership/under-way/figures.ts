/** What is open in the fleet, read from the store when somebody asks: never from memory, so never old. */
import type { OpenFigures, OpenSides, OpenView } from "../../admin/api/open-view.ts";
import type { Config } from "../../config/schema.ts";
import { countsOrders } from "../../proxy/finishing.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import type { OpenCount, OpenCounts, OpenQuestion, OpenStore } from "./port.ts";

export interface OpenFiguresOptions {
  readonly store: Pick<OpenStore, "count">;
  /** The configuration in force. */
  readonly config: () => Config;
  /** Tells the pin epochs, and whether the store is within reach. */
  readonly following: Pick<Following, "current" | "contact">;
}

/** @returns reads them; empty when the store does not answer. Never rejects; calls under way at once share an answer */
export function createOpenFigures(options: OpenFiguresOptions): () => Promise<OpenFigures> {
  const { store, config, following } = options;
  let reading: Promise<OpenFigures> | undefined;

  async function read(): Promise<OpenFigures> {
    if (!following.contact().up) return new Map();
    const { states } = following.current();
    const questions = Object.entries(config().cutovers).flatMap(([cutover, declared]): OpenQuestion[] => {
      const epoch = states.get(cutover)?.pinEpoch ?? 0;
      return [
        ...(declared.journey === undefined ? [] : [{ kind: "journeys", cutover, epoch } as const]),
        ...(countsOrders(declared) ? [{ kind: "orders", cutover, epoch: 0 } as const] : []),
      ];
    });
    try {
      const answers = await store.count(questions);
      const figures = new Map<string, OpenView>();
      for (const [at, { kind, cutover }] of questions.entries()) {
        const view = figures.get(cutover) ?? { journeys: null, unfinished: null };
        const sides = sidesView(answers[at]);
        figures.set(
          cutover,
          kind === "journeys" ? { ...view, journeys: sides } : { ...view, unfinished: sides },
        );
      }
      return figures;
    } catch {
      return new Map();
    }
  }

  return () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
}

function sidesView(counts: OpenCounts | undefined): OpenSides {
  return counts === undefined ? null : { legacy: sideView(counts.legacy), new: sideView(counts.new) };
}

function sideView({ open, atLeast, oldestStartedAt }: OpenCount) {
  const oldest = oldestStartedAt === undefined ? null : new Date(oldestStartedAt * 1000).toISOString();
  return { open, atLeast, oldestStartedAt: oldest };
}
