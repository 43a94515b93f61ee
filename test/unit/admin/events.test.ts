import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createEventStreams } from "../../../src/admin/events.ts";
import { createFleet } from "../../../src/admin/fleet.ts";
import { createViews } from "../../../src/admin/view.ts";
import { systemClock } from "../../../src/base/clock.ts";
import type { Following } from "../../../src/state/follow/snapshot.ts";
import { initialState } from "../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import { until } from "../../integration/admin/rig.ts";
import { adminContext } from "../../support/admin-context.ts";

const opened: Server[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** Streams behind a bare server, and what they hold on to. */
async function start() {
  const listeners = new Set<unknown>();
  let ticks = 0;
  const follower: Following = {
    current: () => ({ states: new Map([["checkout", initialState()]]) }),
    onSwap(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    contact: () => {
      ticks += 1;
      return { up: false, stalenessMs: 0 };
    },
    isStale: () => false,
    isDoubtful: () => false,
    refresh: async () => {},
  };
  const context = adminContext({
    store: createMemoryStore({ clock: systemClock }),
    follower,
    cutovers: { checkout: { legacy: "a", new: "b" } },
    instance: { id: "one", startedAt: "" },
    traffic: () => ({}),
    clock: systemClock,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    tickMs: 5,
  });
  const fleet = createFleet(context);
  const streams = createEventStreams(context, createViews(context, fleet, { known: () => undefined }), fleet);
  let [writes, most] = [0, 0];
  const turn = () => {
    most = Math.max(most, writes);
    writes = 0;
    if (server.listening) setImmediate(turn);
  };
  const server = createServer((_, response) => {
    const write = response.write.bind(response);
    response.write = (chunk: string | Buffer) => {
      writes += 1;
      return write(chunk);
    };
    streams.feed(response, {}, [fleet.own()], () => false);
  });
  opened.push(server);
  await new Promise<void>((resume) => server.listen(0, "127.0.0.1", resume));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const open = async () => {
    const abort = new AbortController();
    await fetch(`http://127.0.0.1:${address.port}`, { signal: abort.signal });
    return () => abort.abort();
  };
  turn();
  return { streams, listeners, open, server, mostWrites: () => most, ticks: () => ticks };
}

describe("event streams", () => {
  test("a hundred are told the same in the same order, and a request does not wait for all of them", async () => {
    const { streams, server, mostWrites } = await start();
    const { port } = server.address() as AddressInfo;
    const texts = Array.from({ length: 100 }, () => "");
    for (const reader of texts.keys()) {
      get({ port, host: "127.0.0.1", agent: false }, (response) => {
        response.setEncoding("utf8").on("data", (text: string) => {
          texts[reader] += text;
        });
      });
    }
    const kinds = (text: string) => [...text.matchAll(/^event: (\w+)$/gm)].map(([, kind]) => kind);
    await until(() => streams.count() === 100 && texts.every((text) => kinds(text).length >= 9));
    for (const text of texts) {
      expect(kinds(text)[0]).toBe("snapshot");
      const first = text.split("event: snapshot\ndata: ").length;
      expect(first).toBe(2);
    }
    // Whatever one was told first, from there on it was told what all are.
    const bodies = texts.map((text) => text.split("\n\n").filter((frame) => frame.startsWith("event: tick")));
    const longest = bodies.reduce((one, other) => (other.length > one.length ? other : one));
    for (const ticks of bodies) {
      const from = longest.indexOf(ticks[0] ?? "");
      expect(from).toBeGreaterThanOrEqual(0);
      const whole = Math.min(4, ticks.length - 1, longest.length - from - 1);
      expect(longest.slice(from, from + whole)).toEqual(ticks.slice(0, whole));
    }
    expect(mostWrites()).toBeGreaterThan(0);
    expect(mostWrites()).toBeLessThan(40);
  });

  test("work only while somebody listens", async () => {
    const { streams, listeners, open, ticks } = await start();
    expect(listeners.size).toBe(0);
    const leaveFirst = await open();
    const leaveSecond = await open();
    expect([streams.count(), listeners.size]).toEqual([2, 1]);
    await until(() => ticks() > 2);
    leaveFirst();
    await until(() => streams.count() === 1);
    expect(listeners.size).toBe(1);
    leaveSecond();
    await until(() => streams.count() === 0);
    expect(listeners.size).toBe(0);
    const before = ticks();
    await new Promise((resume) => setTimeout(resume, 30));
    expect(ticks()).toBe(before);
  });

  test("begin again after all had left", async () => {
    const { streams, open, ticks } = await start();
    const leave = await open();
    leave();
    await until(() => streams.count() === 0);
    const before = ticks();
    await open();
    await until(() => ticks() > before + 1);
  });

  test("let go of everything when closed", async () => {
    const { streams, listeners, open } = await start();
    await open();
    await open();
    streams.close();
    expect([streams.count(), listeners.size]).toEqual([0, 0]);
  });
});
