/** Calls to Redis that are tried until they are answered or their time is up. */
import { setTimeout as sleep } from "node:timers/promises";
import { StoreUnavailable } from "../base/unavailable.ts";
import type { Script } from "../state/store/redis/scripts/scripts.ts";
import { monotonicMs, type RedisClient, type RedisCommand, type Reply } from "./client.ts";

export interface Call {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

export interface Caller {
  /**
   * Sends commands that may be sent twice.
   *
   * @returns their values, `null` where the key is of another kind: nothing of ours is in it
   * @throws StoreUnavailable by `giveUpAtMs`
   */
  ask(commands: readonly RedisCommand[], giveUpAtMs: number): Promise<readonly unknown[]>;
  /** Runs scripts, and commands among them, that may run twice, in one go. */
  run(calls: readonly (Call | RedisCommand)[], giveUpAtMs: number): Promise<readonly unknown[]>;
  /** Runs one script that may not; `call(true)` is what is sent once an earlier attempt may have been. */
  runOnce(call: (again: boolean) => Call, attempts: Attempts, giveUpAtMs: number): Promise<unknown>;
}

/** What is known of the attempts at one change; the caller's to keep over several calls. */
export interface Attempts {
  /** One was sent, or perhaps sent, and got no answer. */
  unanswered: boolean;
}

/** Between two attempts on a connection that takes nothing just now. */
const pauseMs = 20;

export function createCaller(client: RedisClient): Caller {
  async function attempt(
    commands: () => readonly RedisCommand[],
    attempts: Attempts,
    giveUpAtMs: number,
  ): Promise<readonly Reply[]> {
    for (;;) {
      const sent = await client.send(commands(), giveUpAtMs);
      if (sent.kind === "answered") return sent.replies;
      if (sent.kind === "unknown") attempts.unanswered = true;
      if (client.isClosed()) throw new StoreUnavailable("the store is closed");
      if (client.isAway()) throw new StoreUnavailable("Redis is out of reach");
      if (monotonicMs() + pauseMs >= giveUpAtMs) throw new StoreUnavailable("Redis did not answer in time");
      await sleep(pauseMs);
    }
  }

  async function scripts(
    calls: () => readonly (Call | RedisCommand)[],
    attempts: Attempts,
    giveUpAtMs: number,
  ): Promise<readonly unknown[]> {
    const replies = await attempt(() => calls().map(bySha1), attempts, giveUpAtMs);
    if (!replies.some((reply) => !reply.ok && reply.code === "NOSCRIPT")) return values(replies);
    // Those that did run may run twice, or there is only one.
    return values(await attempt(() => calls().map(bySource), attempts, giveUpAtMs));
  }

  return {
    ask: async (commands, giveUpAtMs) =>
      values(await attempt(() => commands, { unanswered: false }, giveUpAtMs)),
    run: (calls, giveUpAtMs) => scripts(() => calls, { unanswered: false }, giveUpAtMs),
    async runOnce(call, attempts, giveUpAtMs) {
      const [value] = await scripts(() => [call(attempts.unanswered)], attempts, giveUpAtMs);
      return value;
    },
  };
}

function bySha1(call: Call | RedisCommand): RedisCommand {
  if (!("script" in call)) return call;
  return ["evalsha", call.script.sha1, call.keys.length, ...call.keys, ...call.args];
}

function bySource(call: Call | RedisCommand): RedisCommand {
  if (!("script" in call)) return call;
  return ["eval", call.script.source, call.keys.length, ...call.keys, ...call.args];
}

function values(replies: readonly Reply[]): readonly unknown[] {
  return replies.map((reply) => {
    if (reply.ok) return reply.value;
    if (reply.code === "WRONGTYPE") return null;
    throw new StoreUnavailable(`Redis answered ${reply.code}`);
  });
}
