/** Durations as people write them: `250ms`, `5s`, `10m`, `24h`, `180d`. */
const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const form = /^(\d{1,9})(ms|s|m|h|d)$/;

function isUnit(text: string | undefined): text is keyof typeof units {
  return text !== undefined && Object.hasOwn(units, text);
}

/**
 * @returns milliseconds; `undefined` when the text is no duration
 */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = form.exec(text) ?? [];
  if (count === undefined || !isUnit(unit)) return undefined;
  return Number(count) * units[unit];
}

/** In the largest unit that gives a whole number. */
export function durationText(milliseconds: number): string {
  const largestFirst = Object.entries(units).reverse();
  const whole = largestFirst.find(([, length]) => milliseconds > 0 && milliseconds % length === 0);
  const [unit, length] = whole ?? ["ms", 1];
  return `${milliseconds / length}${unit}`;
}
