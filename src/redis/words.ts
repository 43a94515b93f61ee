/**
 * What a store says of itself in a word: an error reply's first, such as OOM or WRONGPASS, or Node's code where nobody has
 * answered. What a connection complains of is said once, and who was refused while signing in is remembered until a server
 * has let it in.
 */
import type { Log } from "../base/log.ts";

/** The error in one word: a Redis error's first, or Node's code. Its text may quote arguments or addresses. */
export function replyCodeOf(error: Error): string {
  if ("code" in error && typeof error.code === "string") return error.code;
  if (/^(?:Socket timeout|Command timed out)/.test(error.message)) return "ETIMEDOUT";
  if (error.message.startsWith("All sentinels are unreachable")) return "NOSENTINEL";
  // Of a script Redis 6 says it within an error of its own; of its user's rights every Redis in a sentence.
  if (/^ERR .*\bThe user executing the script can't\b/s.test(error.message)) return "NOPERM";
  const [, within] = /^ERR .*?-(OOM|MISCONF|NOREPLICAS|READONLY)\b/s.exec(error.message) ?? [];
  const [word = ""] = [within ?? error.message.split(" ", 1)[0]];
  return /^[A-Z]{2,20}$/.test(word) ? word : "ERROR";
}

/** Whether it is of a node that is not, or not now, the one to ask. Redis 6 says it of a script within an error of its own. */
export function isAsideWord({ message }: Error): boolean {
  return /^(?:ERR .*?-)?(?:CLUSTERDOWN|READONLY|MASTERDOWN)\b/s.test(message);
}

/** A server's own, where Sentinels or a Cluster had to be asked first. */
function causeOf(error: Error): Error {
  return "lastNodeError" in error && error.lastNodeError instanceof Error ? error.lastNodeError : error;
}

interface Complaints {
  /** A server has answered and lets this client in. */
  letIn(): void;
  /** A server has answered and is not the one it should be, in its word. */
  refused(word: string): void;
  /** The word of the server that has answered last, and refused; `undefined`: it did not, or nobody answered. */
  refusal(): string | undefined;
}

/** What emits as ioredis's clients do. */
interface Connecting {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
}

/** Says each complaint once. */
export function createComplaints(connection: Connecting, role: string, log: Log | undefined): Complaints {
  let reported = "";
  let refusal: string | undefined;
  connection.on("error", (error) => {
    const cause = causeOf(error);
    const code = replyCodeOf(cause);
    refusal = cause.name === "ReplyError" ? code : undefined;
    if (code === reported) return;
    reported = code;
    const said = refusal === undefined ? "no connection to the store" : "the store refuses the connection";
    log?.warn({ store: "redis", connection: role, code }, said);
  });
  connection.on("ready", () => {
    if (reported !== "") log?.info({ store: "redis", connection: role }, "connected to the store again");
    reported = "";
  });
  return {
    letIn() {
      refusal = undefined;
    },
    refused(word) {
      refusal = word;
    },
    refusal: () => refusal,
  };
}

/** Between two looks for a primary where a replica has answered. */
const lookEveryMs = 1000;

/**
 * After a failover the old primary answers as a replica: the one in its place is looked for, but not again and again where
 * it is none's place, for each time costs what is under way. A script of Redis 6 says so within its own error.
 */
export function createReplicaWatch(onReplica: () => void): (error: Error) => boolean {
  let lookedMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (!/\bREADONLY\b/.test(error.message)) return false;
    const nowMs = performance.now();
    if (nowMs - lookedMs < lookEveryMs) return false;
    lookedMs = nowMs;
    onReplica();
    return true;
  };
}
