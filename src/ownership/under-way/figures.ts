/** What is under way in the fleet, read from the store when somebody asks: never from memory, so never old. */
import type { OnExpired, UnderWayCounts, UnderWayKind, UnderWayQuestion, UnderWayStore } from "./port.ts";

/** What a cutover has under way. Absent: nothing of the kind is counted there, or it is among the untold. */
export interface CutoverUnderWay {
  readonly journeys?: UnderWayCounts;
  readonly orders?: UnderWayCounts;
  /** Counted there, but the store does not say now how many. */
  readonly untold?: readonly UnderWayKind[];
}

/** By cutover; one of which nothing is counted is absent. */
export type FiguresUnderWay = ReadonlyMap<string, CutoverUnderWay>;

/**
 * @param store where it is counted
 * @param asked all that is counted
 * @param isInReach whether the store of the cutover's is asked now: not while it is known to be out of reach
 * @param onExpired hears of what has run out since any instance read last
 * @returns reads them; all untold when the store does not answer. Never rejects; calls at one time share an answer
 */
export function createFiguresUnderWay(
  store: Pick<UnderWayStore, "count">,
  asked: () => readonly UnderWayQuestion[],
  isInReach: (cutover: string) => boolean = () => true,
  onExpired?: OnExpired,
): () => Promise<FiguresUnderWay> {
  let reading: Promise<FiguresUnderWay> | undefined;

  async function read(): Promise<FiguresUnderWay> {
    const all = asked();
    const questions = all.filter(({ cutover }) => isInReach(cutover));
    const answers = questions.length === 0 ? [] : await store.count(questions, onExpired).catch(() => []);
    const figures = new Map<string, CutoverUnderWay>();
    for (const question of all) {
      const { kind, cutover } = question;
      const counts = answers[questions.indexOf(question)];
      const known = figures.get(cutover);
      const told = counts === undefined ? { untold: [...(known?.untold ?? []), kind] } : { [kind]: counts };
      figures.set(cutover, { ...known, ...told });
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
