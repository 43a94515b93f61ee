/**
 * Answers that could not be read for the orders in them, or for what a rule asks: each is counted, and once a minute a
 * line of the log tells how many there were. Pages are counted alone: where people shop, forms are answered with them.
 */
import type { Timers } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Side } from "../state/rules/model.ts";
import type { OwnershipMetrics } from "./metrics.ts";
import type { UnreadReason } from "./port.ts";

interface UnreadAnswers {
  note(cutover: string, side: Side, reason: UnreadReason): void;
  /** Tells what is not told yet, and ends. */
  close(): void;
}

const everyMs = 60_000;

interface Tally {
  readonly cutover: string;
  readonly side: Side;
  readonly answers: Map<UnreadReason, number>;
}

export function createUnreadAnswers(
  { unreadAnswer }: Pick<OwnershipMetrics, "unreadAnswer">,
  log: Pick<Log, "warn">,
  timers: Timers,
): UnreadAnswers {
  const tallies = new Map<string, Tally>();
  let cancel: (() => void) | undefined;

  function tell(): void {
    cancel?.();
    cancel = undefined;
    for (const { cutover, side, answers } of tallies.values()) {
      log.warn(
        { cutover, side, answers: Object.fromEntries(answers) },
        "answers that may tell of orders could not be read",
      );
    }
    tallies.clear();
  }

  return {
    note(cutover, side, reason) {
      unreadAnswer(cutover, side, reason);
      if (reason === "not_json") return;
      const id = `${cutover}:${side}`;
      const tally = tallies.get(id) ?? { cutover, side, answers: new Map<UnreadReason, number>() };
      tallies.set(id, tally);
      tally.answers.set(reason, (tally.answers.get(reason) ?? 0) + 1);
      cancel ??= timers.after(everyMs, tell);
    },
    close: tell,
  };
}
