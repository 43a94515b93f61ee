/**
 * Calls to Redis: scripts, and commands among them, that are tried until they are answered or their time is up.
 *
 * A script is called by the SHA-1 of its source and sent whole to a server that does not know it. It takes one argument,
 * a JSON object (`cjson.decode(ARGV[1])`): what is undefined is left out and is nil there; a whole number keeps its digits
 * up to 2^53 (`string.format('%.0f', n)` prints it); text stays text. What is bytes and no text follows as ARGV[2…].
 *
 * Two builds may use one Redis at the same time, as in a rolling upgrade: each calls its own scripts, for the name is the
 * source's hash. So the arguments may change from one build to the next; the keys, and what stands under them, may not.
 *
 * A change that is answered with StoreUnavailable is not in force later. It carries a deadline in the server's time, after
 * which its script refuses it ({ 'late' }), and the caller is kept waiting until that moment has passed for certain. The
 * deadline counts from the server's time in a reply of the same change, and a reply is always older than now; so it comes
 * early, never late. It also comes `answerMs` before the caller gives up, which leaves time to ask for the outcome of a
 * write that was sent and not answered: it is sent again under its own id, and the script knows it. (Only a server whose
 * clock is set back while a write is under way could let it in late.)
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { StoreUnavailable } from "../base/errors.ts";
import { monotonicMs, type RedisClient, type RedisReply, type Sent } from "./client.ts";
import type { RedisCommand } from "./connection.ts";

export interface Script {
  readonly source: string;
  readonly sha1: string;
}

export interface Call {
  readonly script: Script;
  /** All of one hash slot. Bytes where a name is not UTF-8. */
  readonly keys: readonly (string | Buffer)[];
  /** By name; neither `null` nor NaN. Without it, the script takes none. */
  readonly args?: Readonly<Record<string, unknown>>;
  readonly bytes?: readonly (string | Buffer)[];
}

export interface Caller {
  /**
   * Sends what may run twice, in one go, again and again until it is answered.
   *
   * @returns the values, `null` where the key is of another kind: nothing of ours is in it
   * @throws StoreUnavailable by `giveUpAtMs` (of `monotonicMs`), for an error reply, and when a script was late
   */
  run(calls: readonly (Call | RedisCommand)[], giveUpAtMs: number): Promise<readonly unknown[]>;
  /**
   * Makes one change that must be made neither twice nor late, in as many attempts as there is time for.
   *
   * @throws StoreUnavailable by `giveUpAtMs`, and then not before the change can land no more; what `work` throws
   */
  change<T>(giveUpAtMs: number, work: (change: ChangeUnderWay) => Promise<T>): Promise<T>;
}

export interface ChangeUnderWay {
  /** For the script, in the server's time. */
  deadline(seen: ServerTime): number;
  /** Runs the script; `call(true)` is what is sent once an earlier attempt may have been. Errors as of `run`. */
  once(call: (again: boolean) => Call): Promise<unknown>;
}

/** The server's clock in a reply, in ms since the epoch, and when the reply was here (of `monotonicMs`). */
export interface ServerTime {
  readonly serverMs: number;
  readonly receivedAtMs: number;
}

/** Between two attempts on a connection that takes nothing just now. */
const pauseMs = 20;

/** Time kept back from a change's deadline to learn its outcome. */
const answerMs = 400;

/** The moment `atMs` (of `monotonicMs`) in the server's time: at it or a little before. */
export function deadlineOf({ serverMs, receivedAtMs }: ServerTime, atMs: number): number {
  return Math.floor(serverMs + (atMs - receivedAtMs));
}

/** @param prelude put in front of what the file says */
export function readScript(file: URL, prelude = ""): Script {
  const source = prelude + readFileSync(file, "utf8");
  return { source, sha1: createHash("sha1").update(source).digest("hex") };
}

/**
 * Sends all in one go, once. When the server does not know one of the scripts, all of it is sent again with the sources:
 * what did run then runs twice.
 *
 * @returns as of `send`
 */
export async function sendCalls(
  client: Pick<RedisClient, "send">,
  calls: readonly (Call | RedisCommand)[],
  giveUpAtMs: number,
): Promise<Sent> {
  const sent = await client.send(calls.map(bySha1), giveUpAtMs);
  const isKnown =
    sent.kind !== "answered" || !sent.replies.some((reply) => !reply.ok && reply.code === "NOSCRIPT");
  return isKnown ? sent : await client.send(calls.map(bySource), giveUpAtMs);
}

interface Parts<Part> {
  readonly call: (part: Part) => Call;
  /** Parts in one go: what else is asked of Redis waits for no longer than these take. */
  readonly atOnce: number;
  /** For each go. */
  readonly deadlineMs: number;
  /** Hears what was said of each part that was taken. */
  readonly onTaken?: (value: unknown) => void;
}

/**
 * Sends what comes in parts, each a script's, and may run twice.
 *
 * @returns the parts that the server has refused for good
 * @throws StoreUnavailable when it does not answer in time, or takes nothing just now: all may be sent again
 */
export async function sendParts<Part>(
  client: Pick<RedisClient, "send" | "refusal">,
  parts: readonly Part[],
  { call, atOnce, deadlineMs, onTaken }: Parts<Part>,
): Promise<readonly Part[]> {
  const refused: Part[] = [];
  const pending = [...parts];
  while (pending.length > 0) {
    const sending = pending.splice(0, atOnce);
    const sent = await sendCalls(client, sending.map(call), monotonicMs() + deadlineMs);
    if (sent.kind !== "answered") throw unavailable(client, "Redis did not answer in time");
    for (const [at, part] of sending.entries()) {
      const reply = sent.replies[at];
      if (reply === undefined) throw new StoreUnavailable("Redis did not answer in time");
      if (reply.ok) onTaken?.(reply.value);
      // A server that is loading, full, or no primary any more will take them later.
      else if (!lasting.has(reply.code))
        throw new StoreUnavailable("Redis takes no writes", { word: reply.code });
      else refused.push(part);
    }
  }
  return refused;
}

/** Said of what was sent; any other word is of the server as it is now. */
const lasting: ReadonlySet<string> = new Set(["ERR", "ERROR", "WRONGTYPE", "CROSSSLOT"]);

/** @throws StoreUnavailable for an error reply; but `null` stands for a key of another kind */
export function valuesOf(replies: readonly RedisReply[]): readonly unknown[] {
  return replies.map(valueIn);
}

/** As `valuesOf`. */
export function valueIn(reply: RedisReply): unknown {
  if (reply.ok) return reply.value;
  if (reply.code === "WRONGTYPE") return null;
  throw new StoreUnavailable(`Redis answered ${reply.code}`, { word: reply.code });
}

/** What stands for no answer; a server that has answered and lets nobody in is heard, in its own word. */
export function unavailable(client: Pick<RedisClient, "refusal">, otherwise: string): StoreUnavailable {
  const word = client.refusal();
  return word === undefined
    ? new StoreUnavailable(otherwise)
    : new StoreUnavailable(`Redis answered ${word}`, { word });
}

export function createCaller(client: RedisClient): Caller {
  async function tried(
    calls: () => readonly (Call | RedisCommand)[],
    giveUpAtMs: number,
    onUnanswered: () => void = () => {},
  ): Promise<readonly unknown[]> {
    for (;;) {
      const sending = calls();
      const sent = await sendCalls(client, sending, giveUpAtMs);
      if (sent.kind === "answered") return inTime(sending, valuesOf(sent.replies));
      if (sent.kind === "unknown") onUnanswered();
      if (client.isClosed()) throw new StoreUnavailable("the store is closed");
      if (client.isAway()) throw unavailable(client, "Redis is out of reach");
      if (monotonicMs() + pauseMs >= giveUpAtMs) throw unavailable(client, "Redis did not answer in time");
      await sleep(pauseMs);
    }
  }

  return {
    run: (calls, giveUpAtMs) => tried(() => calls, giveUpAtMs),

    async change(giveUpAtMs, work) {
      let isUnanswered = false;
      try {
        return await work({
          deadline: (seen) => deadlineOf(seen, giveUpAtMs - answerMs),
          async once(call) {
            const [value] = await tried(
              () => [call(isUnanswered)],
              giveUpAtMs,
              () => {
                isUnanswered = true;
              },
            );
            return value;
          },
        });
      } catch (error) {
        // An unanswered write may still land until its deadline: the failure is not told before.
        if (isUnanswered) await sleep(Math.max(0, giveUpAtMs - monotonicMs()));
        throw error;
      }
    },
  };
}

function inTime(calls: readonly (Call | RedisCommand)[], values: readonly unknown[]): readonly unknown[] {
  const isLate = calls.some((call, at) => {
    const value = values[at];
    return "script" in call && Array.isArray(value) && value[0] === "late";
  });
  if (isLate) throw new StoreUnavailable("Redis did not answer in time");
  return values;
}

function bySha1(call: Call | RedisCommand): RedisCommand {
  return "script" in call ? ["evalsha", call.script.sha1, ...argumentsOf(call)] : call;
}

function bySource(call: Call | RedisCommand): RedisCommand {
  return "script" in call ? ["eval", call.script.source, ...argumentsOf(call)] : call;
}

function argumentsOf(call: Call): (string | number | Buffer)[] {
  return [call.keys.length, ...call.keys, ...valuesFor(call)];
}

/**
 * A byte string as it is sent. Text that UTF-8 writes in the same bytes stays text: a command without a Buffer in it is put
 * together as one string, and no Buffer is made for each of its parts.
 */
export function sentBytes(text: string): string | Buffer {
  return beyondAscii.test(text) ? Buffer.from(text, "latin1") : text;
}

const beyondAscii = /[^\0-\x7f]/;

/** What a script finds in ARGV. */
export function valuesFor({ args = {}, bytes = [] }: Call): (string | Buffer)[] {
  const json = JSON.stringify(args);
  // JSON.stringify says half a surrogate pair in six characters. It is looked at twice only where it may have.
  return [json.includes("\\ud") ? JSON.stringify(args, wellFormed) : json, ...bytes];
}

/** Half a surrogate pair, which cjson refuses, becomes U+FFFD, as everywhere that text becomes UTF-8. */
function wellFormed(_name: string, value: unknown): unknown {
  return typeof value === "string" ? Buffer.from(value).toString() : value;
}
