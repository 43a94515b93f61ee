/** What becomes of requests with keys: told to who knows of this instance's own, and to the book of the fleet's past. */
import type { Clock } from "../../base/clock.ts";
import type { KeyDesk } from "../../ownership/key-desk.ts";
import type { PastBook, PastEnd, SentRequest } from "../../ownership/past/book.ts";
import type { OwnerKey } from "../../ownership/port.ts";
import type { Outcome } from "../../proxy/outcome.ts";
import type { Decided, ExchangeRecord, Witness } from "../../proxy/witness.ts";

/** How a request ends of which nobody knows what it has done. */
const unanswered = ["timeout", "reset", "protocol_error", "gave_up", "client_aborted"] as const;

function unansweredBy(outcome: Outcome): (typeof unanswered)[number] | undefined {
  return unanswered.find((one) => one === outcome);
}

/** With these a side says that it has not looked, or has not done yet what was asked before: that stays in doubt. */
const putsOff: ReadonlySet<number> = new Set([401, 403, 407, 408, 409, 425, 429]);

function answerOf(status: number): PastEnd {
  return status >= 500 || putsOff.has(status) ? "put off" : "answered";
}

/** How it ended for what is known of its keys. */
function endOf({ status = 0, unsent }: ExchangeRecord, outcome: Outcome): PastEnd {
  if (unsent) return "unsent";
  // Its client has left in the midst of the answer.
  if (outcome === "client_aborted" && status !== 0) return answerOf(status);
  return unansweredBy(outcome) ?? (outcome === "ok" ? answerOf(status) : "put off");
}

const safe: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

function sentBy(
  { cutover, route, method }: ExchangeRecord,
  { decision, state, keys }: Decided,
  sentAtMs: number,
): SentRequest {
  const { side, reason } = decision;
  return { cutover, route, isSafe: safe.has(method), keys, side, reason, version: state.version, sentAtMs };
}

function madeBy({ meaning }: ExchangeRecord, { named }: Decided): readonly OwnerKey[] {
  if (meaning === undefined || meaning.keys.length === 0) return noKeys;
  return meaning.keys.filter(({ key }) => !named.has(key));
}

const noKeys: readonly OwnerKey[] = [];

/** What is known of the keys of requests: on this instance for now, and of the fleet's past. */
export function keysWitness(
  desk: Pick<KeyDesk, "began" | "ended">,
  past: Pick<PastBook, "sent" | "ended">,
  clock: Clock,
): Witness {
  const end = (record: ExchangeRecord, how: PastEnd) => {
    const by = record.decided;
    if (by === undefined) return;
    const made = madeBy(record, by);
    if (by.keys.length + made.length === 0) return;
    // Of what is not awaited any more, or never was, the moment is reckoned from its attempt.
    const sentAtMs = Math.round(clock.now() - (clock.monotonic() - record.attemptAt));
    past.ended(record, sentBy(record, by, sentAtMs), how, made);
  };
  return {
    decided(record) {
      const by = record.decided;
      if (by === undefined || by.keys.length === 0) return;
      desk.began(record, record.cutover, by.keys);
    },
    sending(record) {
      const by = record.decided;
      if (by === undefined || by.keys.length === 0) return undefined;
      return past.sent(record, sentBy(record, by, clock.now()));
    },
    answeredLate: (record, status) => end(record, answerOf(status)),
    settled(record, outcome) {
      desk.ended(record, unansweredBy(outcome) === undefined);
      end(record, endOf(record, outcome));
    },
  };
}
