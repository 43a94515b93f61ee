/** Figures of a Prometheus that is slow, gone, lying, or asked by many at once. Over real sockets. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createOlderSeries } from "../../../../src/telemetry/older/older.ts";
import { olderPoints, olderQuery } from "../../../../src/telemetry/older/query.ts";
import { freePort } from "../../../support/free-port.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const dayMs = 86_400_000;
const nowMs = 1_760_000_400_000;
const weekAgo = nowMs - 7 * dayMs;
const matrix = (result: unknown) =>
  JSON.stringify({ status: "success", data: { resultType: "matrix", result } });

function reading(url: string | undefined, answerMs = 5000) {
  let monotonicMs = 0;
  const older = createOlderSeries({ url: () => url, clock: { monotonic: () => monotonicMs }, answerMs });
  return {
    ...older,
    later: (ms: number) => {
      monotonicMs += ms;
    },
    ask: (cutover = "checkout", sinceMs = weekAgo) => older.read(cutover, sinceMs, nowMs),
  };
}

describe("what is taken of an answer", () => {
  const span = { fromSeconds: 1200, untilSeconds: 6000, stepSeconds: 1200 };
  const answer = (...series: readonly unknown[]) => JSON.parse(matrix(series));
  const of = (name: string, side: string, ...values: readonly unknown[]) => ({
    ...{ metric: { of: name, side }, values },
  });

  test("each step's figures of both sides, by when the step began", () => {
    const read = answer(
      of("requests", "new", [2400, "10.4"], [3600, "0"]),
      of("errors", "new", [2400, "1.6"]),
      of("p99", "new", [2400, "0.25"]),
      of("p99", "legacy", [2400, "NaN"]),
      { metric: { of: "instances" }, values: [[2400, "3"]] },
    );
    const none = { requests: 0, errors: 0, p50: null, p95: null, p99: null, inFlight: 0 };
    expect(olderPoints(read, span)).toEqual([
      { at: 1_200_000, instances: 3, legacy: none, new: { ...none, requests: 10, errors: 2, p99: 0.25 } },
      { at: 2_400_000, instances: 0, legacy: none, new: none },
    ]);
  });

  test("no number that cannot be, of no moment that was not asked for, of no side and no part that is none", () => {
    const lies = ["-1", "Infinity", "-Infinity", "NaN", "1e300", "", "x", null, {}, 7];
    const read = answer(
      ...lies.map((lie) => of("requests", "new", [2400, lie])),
      of("requests", "new", [1200, "1"], [2401, "1"], [7200, "1"], ["2400", "1"], [2400], "2400", null),
      of("requests", "both", [2400, "1"]),
      of("__proto__", "new", [2400, "1"]),
      of("instances", "constructor", [2401, "1"]),
    );
    expect(olderPoints(read, span)).toEqual([]);
  });

  test("never more errors than requests", () => {
    const read = answer(of("requests", "new", [2400, "3"]), of("errors", "new", [2400, "9"]));
    expect(olderPoints(read, span)?.[0]?.new).toMatchObject({ requests: 3, errors: 3 });
  });

  test.each([
    null,
    7,
    [],
    {},
    { status: "success" },
    { status: "success", data: { resultType: "vector", result: [] } },
    answer(7),
    answer({ metric: {} }),
  ])("nothing of %j", (read) => expect(olderPoints(read, span)).toBeUndefined());

  test("its query names the cutover as a text, whatever it is called", () => {
    expect(olderQuery('a"} or up{b="', 300)).toContain('cutover="a\\"} or up{b=\\"",side=~"legacy|new"');
  });
});

describe("a Prometheus", () => {
  test("is asked once, however many ask within a step", async () => {
    let asked = 0;
    const url = await serve((request, response) => {
      asked += 1;
      request.resume().on("end", () => response.end(matrix([])));
    });
    const { ask, later } = reading(url);
    const all = await Promise.all(Array.from({ length: 100 }, () => ask()));
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(["points"]));
    await ask();
    expect(asked).toBe(1);
    later(1_201_000);
    await ask();
    expect(asked).toBe(2);
  });

  test("that is gone, or does not answer in time, is said, and left alone for a while", async () => {
    let asked = 0;
    const url = await serve(({ socket }) => {
      asked += 1;
      socket.destroy();
    });
    const { ask, later } = reading(url);
    for (let again = 0; again < 3; again += 1) expect((await ask()).kind).toBe("nothing");
    expect(asked).toBe(1);
    later(15_001);
    await ask();
    expect(asked).toBe(2);
    const late = await serve(() => {});
    expect(await reading(late, 100).ask()).toEqual({ kind: "nothing", why: "no answer in time" });
    const gone = `http://127.0.0.1:${await freePort()}`;
    expect(await reading(gone).ask()).toEqual({ kind: "nothing", why: "ECONNREFUSED" });
    expect(await reading(undefined).ask()).toEqual({ kind: "nothing", why: "none is configured" });
  });

  test("is asked for two cutovers at a time, and the others wait", async () => {
    let [now, most] = [0, 0];
    const url = await serve((request, response) => {
      now += 1;
      most = Math.max(most, now);
      request.resume().on("end", () =>
        setImmediate(() => {
          now -= 1;
          response.end(matrix([]));
        }),
      );
    });
    const { ask } = reading(url);
    const names = Array.from({ length: 14 }, (_, number) => `c${number}`);
    const all = await Promise.all(names.map((name) => ask(name)));
    expect(most).toBe(2);
    expect(all.filter(({ kind }) => kind === "points")).toHaveLength(10);
    expect(all.at(-1)).toEqual({ kind: "nothing", why: "it is asked for too much at once" });
  });

  test.each([
    ["an endless answer", "it answers at too great length", (): string => "7".repeat(600_000)],
    ["another's page", "no answer of a Prometheus, status 200", (): string => "<html>"],
    [
      "a refusal",
      "it refuses the query: too many points",
      (): string => JSON.stringify({ status: "error", error: "too many points" }),
    ],
  ])("that gives %s is not believed", async (_, why, body) => {
    const url = await serve((request, response) => request.resume().on("end", () => response.end(body())));
    expect(await reading(url).ask()).toEqual({ kind: "nothing", why });
  });

  test("is asked for a month at most, in steps that are the coarser the farther back", async () => {
    const asked: (string | null)[][] = [];
    const url = await serve((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (part: string) => {
        body += part;
      });
      request.on("end", () => {
        const fields = new URLSearchParams(body);
        asked.push(["start", "end", "step"].map((name) => fields.get(name)));
        response.end(matrix([]));
      });
    });
    const { ask } = reading(url);
    for (const days of [1, 7, 30, 3000]) await ask("checkout", nowMs - days * dayMs);
    const steps = asked.map(([start, end, step]) => [
      (Number(end) - Number(start)) / Number(step) + 1,
      Number(step),
    ]);
    expect(steps).toEqual([
      [288, 300],
      [504, 1200],
      [720, 3600],
      [744, 3600],
    ]);
  });
});
