/** One worker as its primary sees it: a process, the channel to it, and what it has told so far. */
import cluster from "node:cluster";
import { systemTimers, within } from "../../base/clock.ts";
import {
  type ConfigSource,
  type FromWorker,
  fromWorker,
  type Question,
  type Reply,
  type Report,
  type Start,
  type ToWorker,
} from "./messages.ts";

export interface Member {
  readonly number: number;
  readonly pid: number | undefined;
  /** Resolves with the port once it accepts connections. @throws Error when it can not, or is gone before */
  readonly listening: Promise<number>;
  /** Resolves when the process is gone, with why. */
  readonly gone: Promise<string>;
  /** The versions it decides by; empty until it has told. */
  versions(): Readonly<Record<string, number>>;
  /** Whether it decides by that snapshot or a later one, or can not decide by an earlier one any more. */
  follows(seq: number): boolean;
  send(message: ToWorker): void;
  /** Has it build what the configuration asks for. @returns why it can not, if so */
  prepare(source: ConfigSource): Promise<string | undefined>;
  /** Resolves when what it has counted so far was reported, or it is gone. */
  collect(): Promise<void>;
  kill(): void;
}

export interface MemberEvents {
  onReport(member: Member, report: Report): void;
  onFollowing(): void;
  answer(question: Question): Promise<Reply>;
}

/** How long one may take to start, or to build a configuration. */
const patienceMs = 30_000;

/** @param first what it is told first, as of the moment it hears */
export function startMember(number: number, first: () => Start, events: MemberEvents): Member {
  const worker = cluster.fork();
  let isHearing = false;
  const collecting = new Map<number, () => void>();
  let versions: Readonly<Record<string, number>> = {};
  let followed = Number.NEGATIVE_INFINITY;
  let last = 0;
  let preparing: ((problem: string | undefined) => void) | undefined;
  let settleListening: { resolve(port: number): void; reject(error: Error): void };
  const listening = new Promise<number>((resolve, reject) => {
    settleListening = { resolve, reject };
  });
  // Whoever does not wait for it hears of its end by `gone`.
  listening.catch(() => undefined);

  const gone = new Promise<string>((resolve) => {
    worker.once("exit", (code: number | null, signal: string | null) => {
      const why = signal === null ? `exit code ${code}` : `${signal}`;
      settleListening.reject(new Error(`worker ${number} ended before it was ready: ${why}`));
      // Whoever takes its place begins by the configuration of then.
      preparing?.(undefined);
      for (const done of collecting.values()) done();
      resolve(why);
    });
  });
  worker.on("error", () => undefined);
  worker.on("message", (received: unknown) => {
    const { data: message } = fromWorker.safeParse(received);
    if (message !== undefined) hear(message);
  });

  function send(message: ToWorker): void {
    if (isHearing && worker.isConnected()) worker.send(message, () => undefined);
  }

  function hear(message: FromWorker): void {
    switch (message.type) {
      case "booted":
        isHearing = true;
        send(first());
        break;
      case "listening":
        settleListening.resolve(message.port);
        break;
      case "failed":
        settleListening.reject(
          Object.assign(new Error(message.message), message.code === undefined ? {} : { code: message.code }),
        );
        break;
      case "following":
        ({ versions, seq: followed } = message);
        events.onFollowing();
        break;
      case "prepared":
        preparing?.(message.problem);
        break;
      case "report":
        events.onReport(member, message);
        if (message.seq !== undefined) collecting.get(message.seq)?.();
        break;
      case "ask":
        void events
          .answer(message.question)
          .then((reply) => send({ type: "reply", seq: message.seq, reply }));
    }
  }

  const member: Member = {
    number,
    pid: worker.process.pid,
    listening: within(patienceMs, systemTimers, listening),
    gone,
    versions: () => versions,
    // One that does not hear yet is told the latest first.
    follows: (seq) => !isHearing || followed >= seq,
    send,
    async prepare(source) {
      const prepared = new Promise<string | undefined>((resolve) => {
        preparing = resolve;
      });
      send({ type: "prepare", source });
      try {
        return await within(patienceMs, systemTimers, prepared);
      } catch {
        return `worker ${number} does not answer`;
      }
    },
    async collect() {
      const seq = ++last;
      const collected = new Promise<void>((resolve) => collecting.set(seq, resolve));
      send({ type: "collect", seq });
      await collected;
      collecting.delete(seq);
    },
    kill: () => worker.process.kill("SIGKILL"),
  };
  member.listening.catch(() => undefined);
  return member;
}
