/**
 * Server-sent events (HTML Living Standard §9.2): `snapshot` first, `change` when a cutover's state in force here
 * has changed, `tick` and `metrics` once a second. A tick comes whether or not the store answers: it is what a
 * reader tells a live stream from a dead one by.
 *
 * Bounded: at most `maxStreams` at once, and one that does not read is ended when 256 KiB wait for it. The timer
 * runs only while somebody listens.
 */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type Snapshot, sameIn } from "../state/follow/snapshot.ts";
import type { InstanceRecord } from "../state/rules/completion.ts";
import type { MetricsEvent } from "./api/cutover-view.ts";
import type { TickEvent } from "./api/instance-view.ts";
import type { AdminOptions } from "./context.ts";
import type { Fleet } from "./fleet.ts";
import { Refused } from "./problem.ts";
import { contactView, type Views } from "./view.ts";

const maxWaitingBytes = 256 * 1024;
const defaultTickMs = 1000;
const defaultMaxStreams = 100;
/** How soon a reader should come back, in milliseconds. */
const retryMs = 1000;

export interface EventStreams {
  /** @throws Refused `too_many_streams` */
  assertRoom(): void;
  /** Answers with a stream and keeps it fed until the client leaves. */
  open(response: ServerResponse, headers: OutgoingHttpHeaders, records: readonly InstanceRecord[]): void;
  /** How many are open. */
  count(): number;
  close(): void;
}

type Needs = Pick<AdminOptions, "follower" | "clock" | "log" | "tickMs" | "maxStreams">;

export function createEventStreams(options: Needs, views: Views, fleet: Fleet): EventStreams {
  const { follower, clock, log } = options;
  const maxStreams = options.maxStreams ?? defaultMaxStreams;
  const streams = new Set<ServerResponse>();
  let known: readonly InstanceRecord[] = [];
  let stop: (() => void) | undefined;
  let measuring = false;

  function send(stream: ServerResponse, message: string): void {
    stream.write(message);
    if (stream.writableLength <= maxWaitingBytes) return;
    log.warn({ waitingBytes: stream.writableLength }, "an event stream that is not read was ended");
    drop(stream);
    stream.destroy();
  }

  function broadcast(event: string, data: unknown): void {
    const message = frame(event, data);
    for (const stream of streams) send(stream, message);
  }

  function drop(stream: ServerResponse): void {
    streams.delete(stream);
    if (streams.size > 0) return;
    stop?.();
    stop = undefined;
  }

  function tick(): void {
    broadcast("tick", {
      serverTime: new Date(clock.now()).toISOString(),
      store: contactView(follower),
    } satisfies TickEvent);
    if (!measuring) void measure();
  }

  async function measure(): Promise<void> {
    measuring = true;
    try {
      known = await fleet.read();
      const figures = views.all(known).map((view) => {
        const { name, proposal, traffic, journeys, unfinished, instances } = view;
        return {
          name,
          traffic,
          journeys,
          unfinished,
          instances,
          ...(proposal === undefined ? {} : { proposal }),
        };
      });
      broadcast("metrics", figures satisfies MetricsEvent);
    } catch (error) {
      log.error({ err: error }, "the figures of an event stream could not be made");
    } finally {
      measuring = false;
    }
  }

  function onSwap(snapshot: Snapshot, previous: Snapshot): void {
    const own = fleet.own();
    const records = [...known.filter((record) => record.id !== own.id), own];
    for (const name of views.names()) {
      if (sameIn(name, snapshot, previous)) continue;
      broadcast("change", views.one(name, records));
    }
  }

  function start(): () => void {
    const timer = setInterval(tick, options.tickMs ?? defaultTickMs);
    const leave = follower.onSwap(onSwap);
    return () => {
      clearInterval(timer);
      leave();
    };
  }

  return {
    count: () => streams.size,

    assertRoom() {
      if (streams.size >= maxStreams) {
        throw new Refused("too_many_streams", `at most ${maxStreams} event streams at once`);
      }
    },

    open(response, headers, records) {
      known = records;
      streams.add(response);
      response.once("close", () => drop(response));
      response.writeHead(200, {
        ...headers,
        "content-type": "text/event-stream",
        // Some proxies would hold the stream back until it ends.
        "x-accel-buffering": "no",
      });
      response.write(`retry: ${retryMs}\n\n`);
      send(response, frame("snapshot", views.all(records)));
      if (streams.size > 0) stop ??= start();
    },

    close() {
      for (const stream of [...streams]) {
        drop(stream);
        stream.end();
      }
    },
  };
}

function frame(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
