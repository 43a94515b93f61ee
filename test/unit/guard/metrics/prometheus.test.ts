/** What an answer may be that is not a Prometheus': slow, gone, huge, or something else altogether. Over real sockets. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { askPrometheus } from "../../../../src/guard/metrics/prometheus.ts";

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
const ask = (url: string, answerMs = 5000) =>
  askPrometheus({ url, query: "(up)[5m:15s]", signal: new AbortController().signal, answerMs });
const answering = async (body: string, status = 200) =>
  ask(await serve((_, response) => response.writeHead(status).end(body)));
const matrix = (...series: readonly (readonly [number, string])[][]) =>
  JSON.stringify({
    status: "success",
    data: { resultType: "matrix", result: series.map((values) => ({ metric: {}, values })) },
  });

test("the query is posted below the URL's path, signed in by what stands in the URL and told nobody else", async () => {
  let seen: unknown;
  const url = await serve((request, response) => {
    request.setEncoding("utf8").on("data", (body: string) => {
      const { authorization } = request.headers;
      seen = {
        method: request.method,
        path: request.url,
        authorization,
        query: new URLSearchParams(body).get("query"),
      };
      response.end(matrix([[1, "2"]]));
    });
    request.resume();
  });
  const answer = await ask(`${url.replace("//", "//guard:s%20cret@")}/prometheus/`);
  expect(answer).toEqual({ kind: "points", points: [{ at: 1, value: 2 }] });
  const authorization = `Basic ${Buffer.from("guard:s cret").toString("base64")}`;
  expect(seen).toEqual({
    method: "POST",
    path: "/prometheus/api/v1/query",
    authorization,
    query: "(up)[5m:15s]",
  });
});

test("what is no finite number is no point", async () => {
  const values: [number, string][] = [
    [1, "NaN"],
    [2, "+Inf"],
    [3, "-Inf"],
    [4, "0.5"],
  ];
  expect(await answering(matrix(values))).toEqual({ kind: "points", points: [{ at: 4, value: 0.5 }] });
});

describe("nothing comes of", () => {
  test.each([
    ["a page", "<html>sign in</html>", 200, "no answer of a Prometheus, status 200"],
    ["an error of something before it", "bad gateway", 502, "no answer of a Prometheus, status 502"],
    [
      "an answer of another kind",
      '{"status":"success","data":{"resultType":"vector","result":[]}}',
      200,
      "no answer of a Prometheus, status 200",
    ],
    [
      "numbers that are none",
      matrix([["1" as unknown as number, "2"]]),
      200,
      "no answer of a Prometheus, status 200",
    ],
    ["numbers that are empty", matrix([[1, ""]]), 200, "no answer of a Prometheus, status 200"],
    ["no series", matrix(), 200, "no series"],
    ["several series", matrix([[1, "2"]], [[1, "3"]]), 200, "2 series, where one is expected"],
    [
      "a refused query",
      '{"status":"error","errorType":"bad_data","error":"parse\\n error"}',
      400,
      "it refuses the query: parse error",
    ],
  ])("%s", async (_, body, status, why) => {
    expect(await answering(body, status)).toEqual({ kind: "nothing", why });
  });

  test("a redirect, which is not followed", async () => {
    let asked = 0;
    const elsewhere = await serve((_, response) => {
      asked += 1;
      response.end(matrix([[1, "2"]]));
    });
    const url = await serve((_, response) => response.writeHead(307, { location: elsewhere }).end());
    expect(await ask(url)).toMatchObject({ kind: "nothing" });
    expect(asked).toBe(0);
  });

  test("an endless answer, which is left at its bound", async () => {
    let sent = 0;
    const url = await serve((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(16_384))) sent += 16_384;
      };
      response.on("drain", more);
      more();
    });
    expect(await ask(url)).toEqual({ kind: "nothing", why: "it answers at too great length" });
    expect(sent).toBeLessThan(32 * 1024 ** 2);
  });

  test("one that begins to answer and never ends", async () => {
    const url = await serve((_, response) => void response.write("{"));
    expect(await ask(url, 200)).toEqual({ kind: "nothing", why: "no answer in time" });
  });

  test("nobody there", async () => {
    const url = await serve(() => {});
    for (const server of servers.splice(0)) server.close();
    expect(await ask(url)).toEqual({ kind: "nothing", why: "ECONNREFUSED" });
  });

  test("an asking that is ended", async () => {
    const url = await serve(() => {});
    expect(await askPrometheus({ url, query: "up", signal: AbortSignal.abort() })).toMatchObject({
      kind: "nothing",
    });
  });
});
