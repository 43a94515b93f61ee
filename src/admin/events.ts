/**
 * Server-sent events (HTML Living Standard §9.2): `snapshot` first, `change` when a cutover's state in force here
 * has changed, `tick` and `metrics` once a second. A tick comes whether or not the store answers: it is what a
 * reader tells a live stream from a dead one by.
 *
 * A stream ends with what opened it: nothing is sent on one whose session or token has ended or gives another role, and
 * it is closed at the next tick.
 *
 * What is told is put into octets once, and sent to so many streams a turn of the loop: a hundred writes in a row would have
 * requests of shoppers wait behind them.
 *
 * Bounded: at most `maxStreams` at once, and one that does not read is ended when 256 KiB wait for it. The timer
 * runs only while somebody listens.
 */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Log } from "../base/log.ts";
import { type Snapshot, sameIn } from "../state/follow/snapshot.ts";
import type { InstanceRecord } from "../state/rules/completion.ts";
import type { CutoverView, MetricsEvent } from "./api/cutover-view.ts";
import type { VerdictEvent } from "./api/guard/guard-view.ts";
import type { TickEvent } from "./api/instance-view.ts";
import type { AdminContext } from "./context.ts";
import type { Fleet } from "./fleet.ts";
import { Refused } from "./problem.ts";
import { contactView, type Views } from "./view.ts";

const maxWaitingBytes = 256 * 1024;
/** Streams that are written to in one turn. */
const streamsATurn = 8;
/** How soon a reader should come back, in milliseconds. */
const retryMs = 1000;

export interface EventStreams {
  /** @throws Refused `too_many_streams` */
  assertRoom(): void;
  /** Answers with a stream and keeps it fed until the client leaves, or what opened it is over. */
  feed(
    response: ServerResponse,
    headers: OutgoingHttpHeaders,
    records: readonly InstanceRecord[],
    isOver: () => boolean,
  ): void;
  /** How many there are now. */
  count(): number;
  close(): void;
}

export function createEventStreams(context: AdminContext, views: Views, fleet: Fleet): EventStreams {
  const { follower, clock, log, maxStreams, tickMs } = context;
  let known: readonly InstanceRecord[] = [];
  /** The last verdict that was told of each guarded cutover. */
  const verdicts = new Map<string, string | null>();
  let isMeasuring = false;
  let stop: (() => void) | undefined;
  const readers = createReaders(log, () => {
    stop?.();
    stop = undefined;
  });

  function tick(): void {
    const serverTime = new Date(clock.now()).toISOString();
    readers.tell("tick", { serverTime, store: contactView(follower) } satisfies TickEvent);
    if (!isMeasuring) void measure();
  }

  async function measure(): Promise<void> {
    isMeasuring = true;
    try {
      known = await fleet.read();
      tellVerdicts();
      const figures = views.all(known).map((view) => ({
        ...figuresOf(view),
        guard: views.guard(view.name, known),
      }));
      readers.tell("metrics", figures satisfies MetricsEvent);
    } catch (error) {
      log.error({ err: error }, "the figures of an event stream could not be made");
    } finally {
      isMeasuring = false;
    }
  }

  /** The snapshot has told of those that stood when somebody began to listen. */
  function tellVerdicts(): void {
    for (const name of views.names()) {
      const guard = views.guard(name, known);
      if (guard.guarded && verdicts.get(name) !== guard.verdict) {
        if (verdicts.has(name)) readers.tell("verdict", { name, ...guard } satisfies VerdictEvent);
        verdicts.set(name, guard.verdict);
      }
    }
  }

  function onSwap(snapshot: Snapshot, previous: Snapshot): void {
    const own = fleet.own();
    const records = [...known.filter((record) => record.id !== own.id), own];
    for (const name of views.names()) {
      if (!sameIn(name, snapshot, previous)) readers.tell("change", views.one(name, records));
    }
  }

  function start(): () => void {
    const timer = setInterval(tick, tickMs);
    const leave = follower.onSwap(onSwap);
    return () => {
      clearInterval(timer);
      leave();
    };
  }

  return {
    count: readers.count,
    close: readers.endAll,

    assertRoom() {
      if (readers.count() >= maxStreams) {
        throw new Refused("too_many_streams", `at most ${maxStreams} event streams at once`);
      }
    },

    feed(response, headers, records, isOver) {
      known = records;
      response.writeHead(200, {
        ...headers,
        "content-type": "text/event-stream",
        // Some proxies would keep the stream back until it ends.
        "x-accel-buffering": "no",
      });
      response.write(`retry: ${retryMs}\n\n`);
      readers.add(response, isOver, frame("snapshot", views.all(records)));
      if (readers.count() > 0) stop ??= start();
    },
  };
}

/**
 * Those who listen: all are told the same, and one that does not read, or may not any more, is ended.
 *
 * @param onLast none is left
 */
function createReaders(log: Log, onLast: () => void) {
  /** With what tells whether each may go on. */
  const streams = new Map<ServerResponse, () => boolean>();
  /** In the order in which they were told; the first is being sent. */
  const told: { readonly message: Buffer; readonly to: ServerResponse[] }[] = [];

  function drop(stream: ServerResponse): void {
    if (streams.delete(stream) && streams.size === 0) onLast();
  }

  function send(stream: ServerResponse, message: Buffer | string): void {
    stream.write(message);
    if (stream.writableLength <= maxWaitingBytes) return;
    log.warn({ waitingBytes: stream.writableLength }, "an event stream that is not read was ended");
    drop(stream);
    stream.destroy();
  }

  function end(stream: ServerResponse): void {
    drop(stream);
    stream.end();
  }

  /** Some of the first message's; the rest, and the next message, in the turns that follow. */
  function sendSome(): void {
    const [first] = told;
    if (first === undefined) return;
    for (const stream of first.to.splice(0, streamsATurn)) {
      const isOver = streams.get(stream);
      if (isOver === undefined) continue;
      if (isOver()) end(stream);
      else send(stream, first.message);
    }
    if (first.to.length === 0) told.shift();
    if (told.length > 0) setImmediate(sendSome);
  }

  return {
    count: () => streams.size,

    add(stream: ServerResponse, isOver: () => boolean, first: string) {
      streams.set(stream, isOver);
      stream.once("close", () => drop(stream));
      send(stream, first);
    },

    tell(event: string, data: unknown) {
      told.push({ message: Buffer.from(frame(event, data)), to: [...streams.keys()] });
      if (told.length === 1) sendSome();
    },

    endAll() {
      for (const stream of [...streams.keys()]) end(stream);
    },
  };
}

function figuresOf(view: CutoverView): Omit<MetricsEvent[number], "guard"> {
  const { name, proposal, traffic, journeys, unfinished, instances, store, ownerStore } = view;
  const { stillLegacy, warnings, exposure, freeze, window, plan, deadline, schedule } = view;
  return {
    name,
    traffic,
    journeys,
    unfinished,
    instances,
    stillLegacy,
    warnings,
    ...(exposure === undefined ? {} : { exposure }),
    ...(store === undefined ? {} : { store }),
    ...(ownerStore === undefined ? {} : { ownerStore }),
    ...(proposal === undefined ? {} : { proposal }),
    ...(freeze === undefined ? {} : { freeze }),
    ...(window === undefined ? {} : { window }),
    ...(plan === undefined ? {} : { plan }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(schedule === undefined ? {} : { schedule }),
  };
}

function frame(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
