import { afterEach, describe, expect, test } from "vitest";
import { type HealthCheck, startHealthCheck } from "../../../../src/proxy/upstream/health.ts";
import { createUndiciUpstream } from "../../../../src/proxy/upstream/undici/engine.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { answering, type Script, startRawUpstream, valuesOf } from "../../../support/raw-upstream.ts";
import { until } from "../../../support/until.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const failing = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";

describe("health checks", () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function start(script: Script) {
    const raw = await startRawUpstream(script);
    cleanups.push(() => raw.close());
    const time = createManualTime();
    const timeouts = { connectMs: 2000, headersMs: 60_000, idleMs: 60_000 };
    const engine = createUndiciUpstream({ name: "shop", url: raw.url, connections: 1, timeouts });
    const verdicts: boolean[] = [];
    let answered = 0;
    const heard = () => {
      answered += 1;
    };
    const check: HealthCheck = startHealthCheck({
      engine: {
        ...engine,
        forward: (request, sink) =>
          engine.forward(request, {
            ...sink,
            end(trailers) {
              sink.end(trailers);
              heard();
            },
            failure(failure) {
              sink.failure(failure);
              heard();
            },
          }),
      },
      host: raw.url.host,
      path: "/health?deep=1",
      intervalMs: 5000,
      timeoutMs: 2000,
      timers: time,
      onChange: (isWell) => verdicts.push(isWell),
    });
    cleanups.push(() => check.close());
    const checked = (checks: number) => until(`the end of check ${checks}`, () => answered === checks);
    const next = async () => {
      const before = answered;
      await time.advance(5000);
      await checked(before + 1);
    };
    await until("the first check", () => raw.requests().length === 1);
    return { raw, time, check, verdicts, next, checked };
  }

  test("ask for the path at once and again after each interval", async () => {
    const { raw, next, check, checked } = await start(answering(ok));
    await checked(1);
    await next();
    const [first] = raw.requests();
    expect(raw.requests()).toHaveLength(2);
    expect(first?.line).toBe("GET /health?deep=1 HTTP/1.1");
    expect(valuesOf(first?.fields ?? [], "host")).toEqual([raw.url.host]);
    expect(raw.connections).toHaveLength(1);
    expect(check.isWell).toBe(true);
  });

  test("find an upstream unwell at the third answer in a row of 400 or more, and well at the second below", async () => {
    const { next, verdicts, check, checked } = await start(
      answering(failing, failing, ok, failing, failing, failing, ok, failing, ok, ok),
    );
    await checked(1);
    for (let i = 0; i < 4; i++) await next();
    expect(verdicts).toEqual([]);
    await next();
    expect([verdicts, check.isWell]).toEqual([[false], false]);
    for (let i = 0; i < 3; i++) await next();
    expect(verdicts).toEqual([false]);
    await next();
    expect([verdicts, check.isWell]).toEqual([[false, true], true]);
  });

  test("take an answer that breaks off, or none in time, for a bad one", async () => {
    let answers = 0;
    const { time, verdicts, next, raw, checked } = await start((connection) => {
      connection.onRequest(() => {
        answers += 1;
        if (answers === 1) {
          connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
          connection.socket.end();
        } else if (answers === 2) connection.reset();
      });
    });
    await checked(1);
    await next();
    // The third gets no answer.
    await time.advance(5000);
    await until("the third check", () => raw.requests().length === 3);
    await time.advance(1999);
    expect(verdicts).toEqual([]);
    await time.advance(1);
    expect(verdicts).toEqual([false]);
  });

  test("end with the upstream's", async () => {
    const { check, raw, time, verdicts } = await start(() => {});
    await check.close();
    await time.advance(60_000);
    expect(raw.requests()).toHaveLength(1);
    expect(verdicts).toEqual([]);
    expect(time.pending()).toBe(0);
  });
});
