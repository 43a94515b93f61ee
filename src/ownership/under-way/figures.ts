/** What is under way in the fleet, read from the store when somebody asks: never from memory, so never old. */
import type { UnderWayCounts, UnderWayQuestion, UnderWayStore } from "./port.ts";

/** What a cutover has under way. Absent: nothing of the kind is counted there, or the store cannot tell. */
interface CutoverUnderWay {
  readonly journeys?: UnderWayCounts;
  readonly orders?: UnderWayCounts;
}

/** By cutover; one of which nothing is known is absent. */
export type FiguresUnderWay = ReadonlyMap<string, CutoverUnderWay>;

/**
 * @param store where it is counted
 * @param asked what is to be counted now: nothing while the store is known to be out of reach
 * @returns reads them; empty when the store does not answer. Never rejects; calls at one time share an answer
 */
export function createFiguresUnderWay(
  store: Pick<UnderWayStore, "count">,
  asked: () => readonly UnderWayQuestion[],
): () => Promise<FiguresUnderWay> {
  let reading: Promise<FiguresUnderWay> | undefined;

  async function read(): Promise<FiguresUnderWay> {
    const questions = asked();
    const figures = new Map<string, CutoverUnderWay>();
    if (questions.length === 0) return figures;
    try {
      const answers = await store.count(questions);
      for (const [at, { kind, cutover }] of questions.entries()) {
        const counts = answers[at];
        if (counts !== undefined) figures.set(cutover, { ...figures.get(cutover), [kind]: counts });
      }
    } catch {
      return new Map();
    }
    return figures;
  }

  return () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
}
