/**
 * How a stratum's shoppers were split of late: by which percent a journey was decided that began then. PURE.
 *
 * Instances apply a change within a second or two of each other, by clocks that differ as much. What began around a
 * change counts on neither side; it would be told of one percent here and of another there.
 */

/** Until all instances go by a change, and since when the first of them may have. In seconds. */
const settling = { before: 2, after: 3 } as const;
const mostSpans = 64;
/** No percent: nothing counts. */
const none = -1;

interface Span {
  /** From when on what begins counts. Seconds since the epoch. */
  readonly from: number;
  /** Of new, in thousandths; `none` while journeys begin on legacy alone. */
  readonly percent: number;
}

interface StepHistory {
  /** @returns whether a step begins with this percent */
  follow(percent: number, nowSeconds: number): boolean;
  /** The percent of the step that stands; -1 before the first. */
  percent(): number;
  /** Since when attempts compare: when the step began, or journeys last began on legacy alone. Seconds since the epoch. */
  since(): number;
  /** Journeys begin on legacy alone now, be their bucket what it may. */
  isExposed(nowSeconds: number): void;
  /** @returns the percent by which a journey is decided that begins now as its bucket says; -1: it does not count */
  begins(nowSeconds: number): number;
  /** @returns by what a journey was decided that began then; `undefined`: it does not count */
  at(seconds: number): Span | undefined;
}

export function createStepHistory(): StepHistory {
  const spans: Span[] = [];
  let percent = none;
  let since = 0;

  /** A minute's journeys by one percent are one cohort: those of an earlier step of it are none of this one's. */
  function begin(nowSeconds: number, next: number): void {
    const minute = Math.floor(nowSeconds / 60);
    const isAgain = spans.some(({ percent: other }, at) => {
      return other === next && (spans[at + 1]?.from ?? nowSeconds) >= minute * 60;
    });
    spans.push({ from: isAgain ? (minute + 1) * 60 : nowSeconds, percent: next });
    if (spans.length > mostSpans) spans.shift();
  }

  return {
    follow(next, nowSeconds) {
      if (next === percent) return false;
      percent = next;
      since = nowSeconds;
      begin(nowSeconds, next);
      return true;
    },
    percent: () => percent,
    since: () => since,
    isExposed(nowSeconds) {
      since = nowSeconds;
      if (spans.at(-1)?.percent !== none) begin(nowSeconds, none);
    },
    begins(nowSeconds) {
      const last = spans.at(-1);
      if (last === undefined) return none;
      if (last.percent === none) begin(nowSeconds, percent);
      return last.percent === none || nowSeconds < last.from + settling.after ? none : percent;
    },
    at(seconds) {
      const span = spans.findLast(({ from }) => seconds >= from - settling.before);
      if (span === undefined || span.percent === none) return undefined;
      return seconds < span.from + settling.after ? undefined : span;
    },
  };
}
