/** When something happens again and again, by the wall clock of a place: cron's five fields in an IANA time zone. */
import { Cron } from "croner";

/** @returns what was expected in its place; `undefined` when it reads */
export function refusedCron(text: string): string | undefined {
  try {
    new Cron(text, { mode: "5-part", timezone: "UTC", paused: true });
    return undefined;
  } catch {
    return "expected cron's five fields, such as 0 18 * * FRI";
  }
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/**
 * Asks when it happens next. What falls into the hour that a spring has not happens at the end of that; in the hour that
 * an autumn has twice, it happens once.
 *
 * @param text and zone, which read
 * @returns ms since the epoch, after the given ones; `undefined`: never again
 */
export function occurrences(text: string, timezone: string): (afterMs: number) => number | undefined {
  const cron = new Cron(text, { mode: "5-part", timezone, paused: true });
  return (afterMs) => cron.nextRun(new Date(afterMs))?.getTime();
}
