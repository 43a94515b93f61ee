/** One worker as its primary sees it: a process, the channel to it, and what it was asked and has not answered yet. */
import cluster from "node:cluster";
import { systemTimers, within } from "../../base/clock.ts";
import type { ConfigSource } from "../../config/load/load.ts";
import type { KeyQuestion, KnownOfKey } from "../../ownership/stores/by-hand.ts";
import {
  type FromWorker,
  fromWorker,
  type Report,
  type SharedOwner,
  type Start,
  type StoreQuestion,
  type StoreReply,
  type ToWorker,
} from "./messages.ts";
import type { DecidedVersions } from "./versions.ts";

export interface WorkerMember {
  readonly number: number;
  readonly pid: number | undefined;
  /** Resolves with the port once it accepts connections. @throws Error when it cannot, or is gone before */
  readonly listening: Promise<number>;
  /** Resolves when the process is gone, with why. */
  readonly gone: Promise<string>;
  send(message: ToWorker): void;
  /** Has it build what the configuration asks for. @returns why it cannot, if so */
  prepare(source: ConfigSource): Promise<string | undefined>;
  /** Resolves when what it has counted so far was reported, or it is gone. */
  collect(): Promise<void>;
  /** Resolves when it knows the owner, or is gone; at once where it does not hear yet. */
  share(owner: SharedOwner): Promise<void>;
  /** What it knows of a key. @returns `undefined` when it does not say in time */
  lookAtKey(question: KeyQuestion): Promise<KnownOfKey | undefined>;
  kill(): void;
}

/** What a worker tells; each event is given its number. */
export interface MemberEvents {
  onReport(worker: number, report: Report): void;
  onSpent(worker: number, spent: Extract<FromWorker, { readonly type: "spent" }>): void;
  /** The worker decides by the snapshot of this number, and by these versions. */
  onFollowing(worker: number, seq: number, versions: DecidedVersions): void;
  answer(question: StoreQuestion, worker: number): Promise<StoreReply>;
}

/** How long a worker may take to start, or to build a configuration. */
const patienceMs = 30_000;

/** What waits for the worker's word. */
interface Awaited {
  readonly listening: Deferred<number>;
  prepared: Deferred<string | undefined> | undefined;
  /** The keys are the numbers of each `collect` and `share`. */
  readonly done: Map<number, Deferred<void>>;
  /** The keys are the numbers of each `key`. */
  readonly known: Map<number, Deferred<KnownOfKey | undefined>>;
}

/** How long it may take to say what it knows of a key; whoever asks the instance waits a little longer. */
const knownMs = 900;
const knowsNothing: KnownOfKey = { fact: null, claim: null, inFlight: 0, inDoubt: false };

/** @param first what it is told first, as of the moment it hears */
export function startMember(number: number, first: () => Start, events: MemberEvents): WorkerMember {
  const worker = cluster.fork();
  const awaited: Awaited = {
    listening: createDeferred(),
    prepared: undefined,
    done: new Map(),
    known: new Map(),
  };
  // A caller that does not wait for it hears of its end by `gone`.
  awaited.listening.promise.catch(() => undefined);
  let isHearing = false;
  let last = 0;

  function send(message: ToWorker): void {
    if (isHearing && worker.isConnected()) worker.send(message, () => undefined);
  }

  /** Resolves when the worker has done what it was asked under the number. */
  async function asked(ask: (seq: number) => void): Promise<void> {
    const seq = ++last;
    const done = createDeferred<void>();
    awaited.done.set(seq, done);
    ask(seq);
    await done.promise;
    awaited.done.delete(seq);
  }

  worker.on("error", () => undefined);
  worker.on("message", (received: unknown) => {
    const { data: message } = fromWorker.safeParse(received);
    if (message === undefined) return;
    if (message.type === "booted") {
      isHearing = true;
      send(first());
    } else hear(message, { number, send, awaited, events });
  });
  const gone = new Promise<string>((resolve) => {
    worker.once("exit", (code: number | null, signal: string | null) => {
      const why = signal === null ? `exit code ${code}` : `${signal}`;
      awaited.listening.reject(new Error(`worker ${number} ended before it was ready: ${why}`));
      // The worker that takes its place begins by the configuration of then.
      awaited.prepared?.resolve(undefined);
      for (const done of awaited.done.values()) done.resolve();
      for (const known of awaited.known.values()) known.resolve(undefined);
      resolve(why);
    });
  });
  const listening = within(patienceMs, systemTimers, awaited.listening.promise);
  listening.catch(() => undefined);

  return {
    number,
    pid: worker.process.pid,
    listening,
    gone,
    send,
    async prepare(source) {
      const prepared = createDeferred<string | undefined>();
      awaited.prepared = prepared;
      send({ type: "prepare", source });
      try {
        return await within(patienceMs, systemTimers, prepared.promise);
      } catch {
        return `worker ${number} does not answer`;
      }
    },
    collect: () => asked((seq) => send({ type: "collect", seq })),
    share: async (owner) => {
      if (isHearing && worker.isConnected()) await asked((seq) => send({ type: "owner", seq, owner }));
    },
    async lookAtKey(question) {
      // It has not begun to serve.
      if (!isHearing) return knowsNothing;
      const seq = ++last;
      const known = createDeferred<KnownOfKey | undefined>();
      awaited.known.set(seq, known);
      send({ type: "key", seq, question });
      const told = await within(knownMs, systemTimers, known.promise).catch(() => undefined);
      awaited.known.delete(seq);
      return told;
    },
    kill: () => worker.process.kill("SIGKILL"),
  };
}

interface Hearing {
  readonly number: number;
  readonly send: (message: ToWorker) => void;
  readonly awaited: Awaited;
  readonly events: MemberEvents;
}

function hear(
  message: Exclude<FromWorker, { readonly type: "booted" }>,
  { number, send, awaited, events }: Hearing,
): void {
  switch (message.type) {
    case "listening":
      awaited.listening.resolve(message.port);
      break;
    case "failed": {
      const code = message.code === undefined ? {} : { code: message.code };
      awaited.listening.reject(Object.assign(new Error(message.message), code));
      break;
    }
    case "following":
      events.onFollowing(number, message.seq, message.versions);
      break;
    case "prepared":
      awaited.prepared?.resolve(message.problem);
      break;
    case "key":
      awaited.known.get(message.seq)?.resolve(message.known);
      break;
    case "spent":
      events.onSpent(number, message);
      break;
    case "report":
      events.onReport(number, message);
      if (message.seq !== undefined) awaited.done.get(message.seq)?.resolve();
      break;
    case "heard":
      awaited.done.get(message.seq)?.resolve();
      break;
    case "ask":
      void events
        .answer(message.question, number)
        .then((reply) => send({ type: "reply", seq: message.seq, reply }));
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function createDeferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return {
    promise,
    resolve: (value) => settle?.resolve(value),
    reject: (error) => settle?.reject(error),
  };
}
