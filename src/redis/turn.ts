/**
 * What is asked of Redis in one turn of the event loop, asked together: of each slot the scripts as one script and the
 * reads as one read, in one write to the socket. A command of its own costs this process far more than what it does in
 * Redis, and a write of its own wakes the server.
 *
 * All of a turn is under way at once, whoever asked first: no answer has come in between. The scripts run in the order in
 * which they were asked for, each by itself: one that fails leaves the others as they are. The reads see what they wrote.
 */
import { type Call, readScript, type Script, sendCalls, unavailable, valueIn, valuesFor } from "./calls.ts";
import { monotonicMs, type RedisClient, type RedisReply } from "./client.ts";
import type { RedisCommand } from "./connection.ts";
import { replyCodeOf } from "./words.ts";

export interface Turn {
  /**
   * Runs one of the turn's scripts, once.
   *
   * @param slot what tells the keys of one hash slot from those of others
   * @returns its value; `null` where a key is of another kind
   * @throws StoreUnavailable when there is no answer in time: it may have run, or run yet
   */
  run(slot: string, call: Call): Promise<unknown>;
  /** @returns the texts under the keys; `null` where there is none. Throws as `run` */
  read(slot: string, keys: readonly Key[]): Promise<readonly unknown[]>;
  /** Resolves when all that was asked so far has its answer, or none in time. Never rejects. */
  idle(): Promise<void>;
}

type Key = string | Buffer;

interface TurnOptions {
  readonly client: Pick<RedisClient, "send" | "isReady" | "refusal" | "refusedWithin">;
  /** All that may be run. */
  readonly scripts: readonly Script[];
  /** How long an answer may take, in ms. */
  readonly deadlineMs: number;
}

/** Most questions that go together: what else is asked of Redis waits for no longer than they take. */
const mostTogether = 64;

interface Asking {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}
interface Running extends Asking {
  readonly call: Call;
}
interface Reading extends Asking {
  readonly keys: readonly Key[];
}

/** Of one slot. */
interface Batch {
  readonly slot: string;
  readonly runs: Running[];
  readonly reads: Reading[];
}

export function createTurn({ client, scripts, deadlineMs }: TurnOptions): Turn {
  const joined = joinedScript(scripts);
  /** A count: of a Set of promises each would keep those that came after it, and what they were asked for. */
  let underWay = 0;
  const awaiting: (() => void)[] = [];
  let due: Batch[] = [];
  let isFailing = false;

  function batchOf(slot: string): Batch {
    const filling = due.findLast((batch) => batch.slot === slot);
    if (filling !== undefined && filling.runs.length + filling.reads.length < mostTogether) return filling;
    const fresh: Batch = { slot, runs: [], reads: [] };
    if (due.push(fresh) === 1) setImmediate(sendAll);
    return fresh;
  }

  /** Of each slot the first: what is more than goes together goes with the next turn, behind it. */
  function sendAll(): void {
    const batches = due;
    due = [];
    const slots = new Set<string>();
    for (const batch of batches) {
      if (slots.has(batch.slot)) {
        due.push(batch);
        continue;
      }
      slots.add(batch.slot);
      underWay += 1;
      void send(batch).finally(answered);
    }
    if (due.length > 0) setImmediate(sendAll);
  }

  function answered(): void {
    underWay -= 1;
    if (underWay > 0) return;
    for (const resolve of awaiting.splice(0)) resolve();
  }

  async function send({ runs, reads }: Batch): Promise<void> {
    const sending: (Call | RedisCommand)[] = [];
    if (runs.length > 0) sending.push(joined(runs.map(({ call }) => call)));
    if (reads.length > 0) sending.push(["mget", ...reads.flatMap(({ keys }) => keys)]);
    const sent = await sendCalls(client, sending, monotonicMs() + deadlineMs);
    isFailing = sent.kind !== "answered";
    if (sent.kind !== "answered") {
      const error = unavailable(client, "Redis did not answer in time");
      for (const asking of [...runs, ...reads]) asking.reject(error);
      return;
    }
    const [first, second] = sent.replies;
    if (runs.length > 0) answerRuns(client, runs, first);
    if (reads.length > 0) answerReads(reads, runs.length > 0 ? second : first);
  }

  function asked<Value>(ask: (asking: Asking) => void): Promise<Value> {
    // Once a question has waited in vain for a connection, the next do not: an outage costs one deadline, not one each.
    if (isFailing && !client.isReady()) return Promise.reject(unavailable(client, "Redis is out of reach"));
    return new Promise((resolve, reject) => ask({ resolve, reject }));
  }

  return {
    run: (slot, call) => asked(({ resolve, reject }) => batchOf(slot).runs.push({ call, resolve, reject })),
    read: (slot, keys) => asked(({ resolve, reject }) => batchOf(slot).reads.push({ keys, resolve, reject })),
    async idle() {
      sendAll();
      while (underWay > 0) await new Promise<void>((resolve) => awaiting.push(resolve));
    },
  };
}

/** @returns makes one call of several, whose scripts are among these */
function joinedScript(scripts: readonly Script[]): (calls: readonly Call[]) => Call {
  const functions = scripts.map(({ source }) => `function(KEYS, ARGV)\n${source}\nend`);
  const script = readScript(
    new URL("./turn.lua", import.meta.url),
    `local scripts = { ${functions.join(", ")} }\n`,
  );
  return (calls) => {
    const keys: Key[] = [];
    const bytes: (string | Buffer)[] = [];
    const shares = calls.map((call) => {
      const values = valuesFor(call);
      for (const key of call.keys) keys.push(key);
      for (const value of values) bytes.push(value);
      return [scripts.indexOf(call.script) + 1, call.keys.length, values.length];
    });
    return { script, keys, args: { calls: shares }, bytes };
  };
}

/** Of each script: what it has returned, and the text of its error or nothing. */
function answerRuns(
  client: TurnOptions["client"],
  runs: readonly Running[],
  reply: RedisReply | undefined,
): void {
  const answers: readonly unknown[] = reply?.ok && Array.isArray(reply.value) ? reply.value : [];
  for (const [i, asking] of runs.entries()) {
    const text = answers[2 * i + 1];
    if (typeof text === "string") {
      const error = new Error(text.startsWith("@") ? `ERR ${text}` : text);
      client.refusedWithin(error);
      settle(asking, { ok: false, code: replyCodeOf(error) });
    } else if (reply?.ok) settle(asking, { ok: true, value: answers[2 * i] });
    else settle(asking, reply);
  }
}

function answerReads(reads: readonly Reading[], reply: RedisReply | undefined): void {
  let at = 0;
  const found: readonly unknown[] = reply?.ok && Array.isArray(reply.value) ? reply.value : [];
  for (const asking of reads) {
    const value = found.slice(at, at + asking.keys.length);
    at += asking.keys.length;
    settle(asking, reply?.ok ? { ok: true, value } : reply);
  }
}

function settle({ resolve, reject }: Asking, reply: RedisReply = { ok: false, code: "ERROR" }): void {
  try {
    resolve(valueIn(reply));
  } catch (error) {
    reject(error);
  }
}
