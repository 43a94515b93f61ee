/**
 * Percent as the system holds it: an integer of thousandths, 0–100000 (4.035 % is 4035), so that a share is
 * compared exactly with a bucket and never through a binary fraction.
 *
 * A cutover has one, and one more for each of its cohorts whose rule gives it a percent and not a side. Where a cohort
 * begins stands in the configuration; that counts until the cutover is changed for the first time since it has the cohort.
 */

export const maxThousandths = 100_000;

/** Whether the number is a percent as the system holds it. */
export function isThousandths(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= maxThousandths;
}

const decimal = /^(?:0|[1-9]\d{0,2})(?:\.\d{1,3})?$/;

/**
 * Reads a percent written in decimal ("25", "0.001", "12.345").
 *
 * @param text at most three decimals, no sign, no exponent, no surrounding space
 * @returns thousandths of a percent, 0–100000; `undefined` when the text is not such a percent
 */
export function parsePercent(text: string): number | undefined {
  if (!decimal.test(text)) return undefined;
  const [whole = "0", fraction = ""] = text.split(".");
  const thousandths = Number(whole) * 1000 + Number(fraction.padEnd(3, "0"));
  return thousandths <= maxThousandths ? thousandths : undefined;
}

/** The same for a JSON number: its shortest decimal text decides, so 12.345 is 12345 and 0.1 + 0.2 is refused. */
export function percentFromNumber(value: number): number | undefined {
  return parsePercent(String(value));
}

/** @returns the percent as a number, exact to three decimals (4035 → 4.035) */
export function percentToNumber(thousandths: number): number {
  return thousandths / 1000;
}

/** @returns the percent as text for the store and for people (12500 → "12.5") */
export function formatPercent(thousandths: number): string {
  return String(thousandths / 1000);
}

/** The percents of a cutover's cohorts, in thousandths, by the cohorts' names. */
export type CohortPercents = Readonly<Record<string, number>>;

/** @returns `undefined` for a cohort that has none */
export function cohortPercent(cohorts: CohortPercents | undefined, name: string): number | undefined {
  // A cohort may be called like what every object has.
  return cohorts !== undefined && Object.hasOwn(cohorts, name) ? cohorts[name] : undefined;
}

export function sameCohorts(one: CohortPercents = {}, other: CohortPercents = {}): boolean {
  if (one === other) return true;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) => cohortPercent(other, name) === one[name]);
}

/** The lower percent of each; what only one of them has is as that has it. */
export function lowerCohorts(one: CohortPercents, other: CohortPercents): CohortPercents {
  const lower = Object.entries(one).map(([name, percent]) => {
    return [name, Math.min(percent, cohortPercent(other, name) ?? percent)] as const;
  });
  return { ...other, ...Object.fromEntries(lower) };
}

export function zeroCohorts(cohorts: CohortPercents): CohortPercents {
  return Object.fromEntries(Object.keys(cohorts).map((name) => [name, 0]));
}

/**
 * The state with a percent for each of its cohorts: of one that it knows nothing of, where the configuration has it begin,
 * and 0 while it is rolled back. The same object where nothing is missing.
 *
 * @param starts by the configuration; absent where no cohort has a percent of its own
 */
export function withStarts<
  State extends { readonly state: string; readonly cohorts?: CohortPercents | undefined },
>(state: State, starts: CohortPercents | undefined): State {
  if (starts === undefined) return state;
  const missing = Object.entries(starts).filter(([name]) => cohortPercent(state.cohorts, name) === undefined);
  if (missing.length === 0) return state;
  const begun = missing.map(([name, start]) => [name, state.state === "rolled_back" ? 0 : start] as const);
  return { ...state, cohorts: { ...state.cohorts, ...Object.fromEntries(begun) } };
}

/**
 * Reads `jakarta=40 staff=12.5`, as the scripts of the store on Redis write it (cohortsText of common.lua).
 *
 * @returns `undefined` when the text is not such a one
 */
export function parseCohorts(text: string): CohortPercents | undefined {
  const found: [string, number][] = [];
  for (const part of text === "" ? [] : text.split(" ")) {
    const [name = "", percent = "", ...rest] = part.split("=");
    const thousandths = parsePercent(percent);
    if (name === "" || thousandths === undefined || rest.length > 0) return undefined;
    found.push([name, thousandths]);
  }
  return Object.fromEntries(found);
}
