/**
 * What an answer means for its journey and its orders, found out before the client is given any of it: whether it begins
 * or ends the journey, which orders its side has made, and which are finished. The orders made are recorded as owned by
 * that side first, so that no request that names one can come too early.
 *
 * What the request itself names is never learned: it was made before, or somebody would like to have it.
 *
 * A body is looked at, where it matters, up to `owners.learnBody`; it goes on byte for byte. One that is larger, that goes on
 * and on, or that cannot be read, is counted. What is asked of it is then unknown, and the safe thing is done: a journey
 * begins and does not end, nothing is finished and nothing learned.
 */
import { judge, type Verdict } from "../../../decide/answer.ts";
import type { BodyValues } from "../../../decide/body.ts";
import type { OwnerKey } from "../../../ownership/port.ts";
import type { Looks } from "../../orders.ts";
import { noTaps, type Tap } from "../../relay/relay.ts";
import type { CompiledRoute } from "../../routes.ts";
import { type Recorded, recordNotice } from "../../settle.ts";
import type { ResponseHead, ResponseSink } from "../../upstream/port.ts";
import type { Decided, Meaning } from "../../witness.ts";
import type { Arrival } from "../arrival.ts";
import { hostTold } from "../client.ts";
import { learns } from "../gather.ts";
import { watchingFailure } from "./failure.ts";
import { type AskedAt, amountIn, keysIn } from "./learn.ts";
import { type Content, isStream, mayBeRead, readAnswer } from "./reading.ts";

/** Where anybody may name the shopper, the orders that a start has made tell the journey that begins with it. */
async function tie(
  { context }: Recorded,
  { cutover: { name, journey } }: CompiledRoute,
  { shopper, begun }: Decided,
  made: readonly OwnerKey[],
): Promise<void> {
  if (begun === undefined || journey === undefined || shopper === undefined || shopper.isVouched) return;
  const orders = made.map(({ key }) => key);
  await context.pins.tie(name, orders, begun, journey.life.maxTtl);
}

/** What sees an answer on its way. @param looks as `lookedAt` says */
export function tapsOn(
  exchange: Recorded,
  arrival: Arrival,
  route: CompiledRoute,
  by: Decided,
  looks: Looks["rules"],
): readonly Tap[] {
  const taps = looks === "status" ? noTaps : [judging(exchange, askedAt(exchange, arrival), route, by)];
  return route.failure === undefined
    ? taps
    : [watchingFailure(exchange, route.failure, route.cutover.learnBodyBytes), ...taps];
}

function askedAt({ context }: Recorded, { head, names, host, target }: Arrival): AskedAt {
  const told = hostTold(context.table.trusts, head, names);
  return { hosts: told === undefined ? [host] : [host, told], target };
}

/** What of the answer to a request has to be looked at. */
export function lookedAt(route: CompiledRoute, method: string): Looks["rules"] {
  const { looks } = route;
  if (looks.rules === "body" || !learns(route, method)) return looks.rules;
  return looks.learn;
}

/** What an answer does where nothing but its status is asked for. */
export function meantByStatus(route: CompiledRoute, status: number): Meaning {
  // As on most routes.
  if (route.starts === undefined && route.ends === undefined && route.finishes === undefined) return nothing;
  return meantBy(verdictsOn(route, status, [], [], undefined), []);
}

const nothing: Meaning = { starts: false, ends: false, finishes: false, keys: [] };

interface Verdicts {
  readonly starts: Verdict;
  readonly ends: Verdict;
  readonly finishes: Verdict;
  readonly teaches: Verdict;
}

const isSuccess = (status: number) => status >= 200 && status < 300;
const isDone = (status: number) => status >= 200 && status < 400;
const isNoFailure = (status: number) => status < 400;

function verdictsOn(
  { starts, ends, finishes, teaches }: CompiledRoute,
  status: number,
  fields: readonly string[],
  fieldNames: readonly string[],
  body: BodyValues | "empty" | undefined,
): Verdicts {
  const view = { status, fields, fieldNames, body };
  return {
    starts: starts === undefined ? "fails" : judge(starts, isNoFailure, view),
    ends: ends === undefined ? "fails" : judge(ends, isSuccess, view),
    finishes: finishes === undefined ? "fails" : judge(finishes, isSuccess, view),
    teaches: isDone(status) ? judge(teaches, isDone, view) : "fails",
  };
}

/** A checkout that may have begun must not part; one that may go on must not be let go. */
function meantBy({ starts, ends, finishes }: Verdicts, keys: readonly OwnerKey[]): Meaning {
  return { starts: starts !== "fails", ends: ends === "holds", finishes: finishes === "holds", keys };
}

/** An answer whose head is there. */
interface Answered {
  readonly head: ResponseHead;
  readonly names: readonly string[];
  readonly verdicts: Verdicts;
}

/** A tap that passes an answer on once it is known what it does. @param by what the request was decided by */
function judging(exchange: Recorded, asked: AskedAt, route: CompiledRoute, by: Decided): Tap {
  return (sink, resume) => judgingSink(exchange, asked, route, by, sink, resume);
}

function judgingSink(
  exchange: Recorded,
  asked: AskedAt,
  route: CompiledRoute,
  by: Decided,
  sink: ResponseSink,
  resume: () => void,
): ResponseSink {
  const { fieldNames, ownership, clock } = exchange.context;
  const { cutover } = route;
  const isLearning = learns(route, exchange.method);
  /** buffering: collects a body that matters; recording: waits for the record; passing: out of the way. */
  let mode: "buffering" | "recording" | "passing" = "passing";
  let answered: Answered | undefined;
  let chunks: Buffer[] = [];
  let length = 0;
  let finish: (() => void) | undefined;
  /** Whether more is wanted at once. */
  let flowing = false;

  const release = () => {
    mode = "passing";
    if (answered !== undefined) sink.head(answered.head);
    flowing = true;
    for (const chunk of chunks) flowing = sink.data(chunk);
    chunks = [];
    if (finish !== undefined) finish();
    else if (flowing) resume();
  };
  const conclude = (of: Answered, content: Content) => {
    const found = meaningOf(exchange, asked, route, isLearning, of, content);
    exchange.meaning = found.meaning;
    const taught = found.taught ? found.meaning.keys.filter(({ key }) => !by.named.has(key)) : [];
    const made = found.amount === undefined ? taught : priced(taught, found.amount);
    if (found.amount === "unread" && taught.some(isOrder)) recordNotice(exchange, { kind: "unread_amount" });
    if (made.length === 0) return release();
    mode = "recording";
    const learned = ownership.learn(cutover.name, made, by.decision.side);
    const since = clock.monotonic();
    const recorded = () => {
      exchange.ownMs += clock.monotonic() - since;
      release();
    };
    Promise.all([learned, tie(exchange, route, by, made)]).then(recorded, recorded);
  };

  return {
    interim: (head) => sink.interim(head),
    head(head) {
      const names = fieldNames.of(head.fields);
      const verdicts = verdictsOn(route, head.status, head.fields, names, undefined);
      answered = { head, names, verdicts };
      if (!wantsBody(route, isLearning, verdicts)) conclude(answered, "unwanted");
      else if (isStream(head.fields, names)) conclude(answered, { unread: "stream" });
      else mode = "buffering";
    },
    data(chunk) {
      if (mode === "passing") return sink.data(chunk);
      chunks.push(chunk);
      length += chunk.length;
      if (mode === "recording" || answered === undefined) return false;
      const isPromising =
        route.looks.text || length > chunk.length || mayBeRead(answered.head.fields, answered.names, chunk);
      if (isPromising && length <= cutover.learnBodyBytes) return true;
      conclude(answered, { unread: isPromising ? "too_large" : "not_json" });
      return flowing;
    },
    end(trailers) {
      if (mode === "passing") return sink.end(trailers);
      finish = () => sink.end(trailers);
      if (mode === "buffering" && answered !== undefined)
        conclude(answered, { whole: Buffer.concat(chunks, length) });
    },
    failure(failure) {
      if (mode === "passing") return sink.failure(failure);
      finish = () => sink.failure(failure);
      // The body broke off, but the head may name what was made.
      if (mode === "buffering" && answered !== undefined) conclude(answered, { unread: "broken_off" });
    },
  };
}

/** Whether something hangs on the body, as far as the head tells. */
function wantsBody({ looks }: CompiledRoute, isLearning: boolean, verdicts: Verdicts): boolean {
  const { starts, ends, finishes, teaches } = verdicts;
  if (starts === "unknown" || ends === "unknown" || finishes === "unknown") return true;
  return isLearning && (teaches === "unknown" || (looks.learn === "body" && teaches === "holds"));
}

function meaningOf(
  exchange: Recorded,
  asked: AskedAt,
  route: CompiledRoute,
  isLearning: boolean,
  { head, names, verdicts: before }: Answered,
  content: Content,
): {
  readonly meaning: Meaning;
  readonly taught: boolean;
  readonly amount: number | "unread" | undefined;
} {
  const reading = { looks: route.looks, limit: route.cutover.learnBodyBytes };
  const { body, unread } = readAnswer(reading, head.fields, names, content);
  const verdicts = body === undefined ? before : verdictsOn(route, head.status, head.fields, names, body);
  const { starts, ends, finishes, teaches } = verdicts;
  const values = body === "empty" ? undefined : body;
  const found =
    isLearning && teaches !== "fails"
      ? keysIn(route.learned, asked, head, names, values)
      : { keys: [], tooLong: false, unsearched: false };
  const isUnknown = [starts, ends, finishes, isLearning ? teaches : "fails"].includes("unknown");
  const lacksKey = isLearning && teaches !== "fails" && found.keys.length === 0;
  const why = unread ?? (isUnknown || found.unsearched ? "too_large" : undefined);
  if (found.tooLong) {
    recordNotice(exchange, { kind: "long_key" });
    recordNotice(exchange, { kind: "unread_answer", why: "long_key" });
  } else if (why !== undefined && (isUnknown || lacksKey)) {
    recordNotice(exchange, { kind: "unread_answer", why });
  }
  const taught = teaches === "holds";
  const { exposure } = route.cutover;
  const isAtRisk = taught && exposure !== undefined && exchange.side === "new";
  const amount = isAtRisk ? (amountIn(exposure, head, names, values) ?? "unread") : undefined;
  return { meaning: meantBy(verdicts, taught ? found.keys : []), taught, amount };
}

/** An order that is known by several keys is worth its amount once: by the first of them in the configuration. */
function priced(made: readonly OwnerKey[], amount: number | "unread"): readonly OwnerKey[] {
  const order = made.find(isOrder);
  return amount === "unread" ? made : made.map((key) => (key === order ? { ...key, amount } : key));
}

const isOrder = ({ claimed, what }: OwnerKey) => !claimed && what === undefined;
