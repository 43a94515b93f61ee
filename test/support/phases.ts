/**
 * How long requests take in each phase of a test, held against a control: a like load that nothing is done to. The
 * machine is shared, so only calm seconds count: those in which the control was not held up, nor in the next.
 */
import { type Load, percentile, type Visit } from "./traffic.ts";

/** No request of the control took longer in a second that counts as calm. */
export const calmMs = 30;

export interface PhaseFigures {
  readonly name: string;
  readonly requests: number;
  /** Over the whole phase, calm or not; ms. */
  readonly p99: number;
  readonly max: number;
  readonly calmSeconds: number;
  /** Over the calm seconds: the p99 of the median one, and the slowest request; undefined when there is none. */
  readonly calm: { readonly p99: number; readonly max: number; readonly controlP99: number } | undefined;
}

export interface Phases {
  /** Ends a phase: what was answered since the last one's end belongs to it. */
  end(name: string): void;
  /** The figures of all phases so far, in order. */
  figures(): readonly PhaseFigures[];
}

export function createPhases(load: Load, control: Load): Phases {
  const ended: { name: string; visits: readonly Visit[] }[] = [];
  let from = 0;
  return {
    end(name) {
      const visits = load.visits.slice(from);
      from += visits.length;
      ended.push({ name, visits });
    },
    figures() {
      const controlBySecond = bySecond(control.visits);
      const isCalm = (second: number) =>
        [second, second + 1].every((each) => Math.max(...(controlBySecond.get(each) ?? [0])) <= calmMs) &&
        controlBySecond.has(second);
      return ended.map(({ name, visits }) => {
        const all = visits.map(({ ms }) => ms);
        const seconds = [...bySecond(visits)].filter(([second]) => isCalm(second));
        const calm = seconds.length === 0 ? undefined : calmFigures(seconds, controlBySecond);
        const p99 = percentile(all, 0.99);
        return { name, requests: all.length, p99, max: Math.max(...all), calmSeconds: seconds.length, calm };
      });
    },
  };
}

function calmFigures(
  seconds: readonly (readonly [number, readonly number[]])[],
  control: ReadonlyMap<number, readonly number[]>,
) {
  const median = (lists: readonly (readonly number[])[]) =>
    percentile(
      lists.map((list) => percentile(list, 0.99)),
      0.5,
    );
  return {
    p99: median(seconds.map(([, list]) => list)),
    max: Math.max(...seconds.flatMap(([, list]) => list)),
    controlP99: median(seconds.map(([second]) => control.get(second) ?? [])),
  };
}

/** Milliseconds by the second in which they began. */
function bySecond(visits: readonly Visit[]): ReadonlyMap<number, readonly number[]> {
  const seconds = new Map<number, number[]>();
  for (const { begunAt, ms } of visits) {
    const second = Math.floor(begunAt / 1000);
    const found = seconds.get(second);
    if (found === undefined) seconds.set(second, [ms]);
    else found.push(ms);
  }
  return seconds;
}

export function formatFigures({ name, p99, max, calmSeconds, calm }: PhaseFigures): string {
  const measured =
    calm === undefined
      ? "the machine was too busy to compare"
      : `${calmSeconds} calm s ${calm.p99.toFixed(1)}, without Redis ${calm.controlP99.toFixed(1)}`;
  return `${name} ${p99.toFixed(1)} (${measured}; max ${max.toFixed(0)})`;
}
