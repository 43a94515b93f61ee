/** Silences: whose they are, and how long they may last. */
import { PassThrough } from "node:stream";
import { expect } from "vitest";
import { answering } from "../../support/raw-upstream.ts";
import { recordingSink } from "../../support/recording-sink.ts";
import { until } from "../../support/until.ts";
import { duties, exchange, failing, type Lab, ok, send } from "./engines.ts";
import { faulty } from "./faults.ts";

/** Until others have waited for so many milliseconds in vain, one after the other. */
async function timedOutTwice(lab: Lab, ms: number): Promise<void> {
  const { upstream } = await lab.upstream(() => {}, { timeouts: { headersMs: ms } });
  for (const _ of [1, 2]) {
    expect((await failing(upstream)).failures()).toMatchObject([{ code: "ERR_HEADERS_TIMEOUT" }]);
  }
}

duties("a timeout", (duty) => {
  duty("timeout when no head comes", async (lab) => {
    const { raw, upstream } = await lab.upstream(
      faulty(() => {}),
      { timeouts: { headersMs: 300 }, connections: 1 },
    );
    const began = performance.now();
    const sink = await failing(upstream);
    expect(sink.failures()).toEqual([{ outcome: "timeout", sent: true, code: "ERR_HEADERS_TIMEOUT" }]);
    expect(performance.now() - began).toBeGreaterThan(280);
    await until("the end of the connection", () => raw.connections[0]?.closedBy() !== "open");
    expect((await exchange(upstream)).body().toString()).toBe("next");
  });

  duty("timeout when no head comes after a streamed body", async (lab) => {
    const { raw, upstream } = await lab.upstream(() => {}, { timeouts: { headersMs: 300 } });
    const content = new PassThrough();
    content.end("hello");
    const sink = await failing(upstream, { method: "POST", body: { kind: "chunked", content } });
    expect(sink.failures()).toEqual([{ outcome: "timeout", sent: true, code: "ERR_HEADERS_TIMEOUT" }]);
    expect(raw.requests()[0]?.body.toString()).toBe("hello");
  });

  duty("an interim response does not put the headers timeout off", async (lab) => {
    const { upstream } = await lab.upstream(
      (connection) => {
        const again = setInterval(() => connection.write("HTTP/1.1 102 Processing\r\n\r\n"), 10);
        connection.socket.on("close", () => clearInterval(again));
      },
      { timeouts: { headersMs: 400 } },
    );
    const sink = await failing(upstream);
    expect(sink.interims.length).toBeGreaterThan(2);
    expect(sink.failures()).toEqual([{ outcome: "timeout", sent: true, code: "ERR_HEADERS_TIMEOUT" }]);
  });

  duty("the headers timeout begins when the request was sent whole", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()), {
      timeouts: { headersMs: 300, idleMs: 5000 },
    });
    const content = new PassThrough();
    const { sink } = send(upstream, { method: "POST", body: { kind: "chunked", content } });
    content.write("a");
    await until("its first chunk", () => raw.connections[0]?.received().includes("1\r\na") ?? false);
    await timedOutTwice(lab, 300);
    expect(sink.isOver()).toBe(false);
    content.end("b");
    await sink.over;
    expect(sink.failures()).toEqual([]);
    expect(raw.requests()[0]?.body.toString()).toBe("ab");
  });

  duty("timeout when the upstream stops taking the body", async (lab) => {
    const { upstream } = await lab.upstream((connection) => connection.socket.pause(), {
      timeouts: { idleMs: 300, headersMs: 20_000 },
    });
    const content = new PassThrough();
    const sink = recordingSink();
    send(upstream, { method: "POST", body: { kind: "chunked", content } }, sink);
    const feed = () => {
      while (!sink.isOver() && content.write(Buffer.alloc(65_536)));
    };
    content.on("drain", feed);
    feed();
    await sink.over;
    expect(sink.failures()).toEqual([{ outcome: "timeout", sent: true, code: "ERR_IDLE_TIMEOUT" }]);
  });

  duty("timeout when a body stops coming", async (lab) => {
    const { raw, upstream } = await lab.upstream(
      faulty((connection) => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")),
      { timeouts: { idleMs: 300 }, connections: 1 },
    );
    const sink = await failing(upstream);
    expect(sink.calls).toEqual(["head", "data", "failure"]);
    expect(sink.failures()).toEqual([{ outcome: "timeout", sent: true, code: "ERR_IDLE_TIMEOUT" }]);
    await until("the end of the connection", () => raw.connections[0]?.closedBy() !== "open");
    expect((await exchange(upstream)).body().toString()).toBe("next");
  });

  duty("progress puts the idle timeout off", async (lab) => {
    const { upstream } = await lab.upstream(
      (connection) => {
        connection.onRequest(async () => {
          connection.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
          for (let i = 0; i < 6; i++) {
            await new Promise((resolve) => setTimeout(resolve, 150));
            connection.write("x");
          }
        });
      },
      { timeouts: { idleMs: 600, headersMs: 600 } },
    );
    expect((await exchange(upstream)).octets()).toBe(6);
  });

  duty("a slow client is not the upstream's silence", async (lab) => {
    const { upstream } = await lab.upstream(answering(ok("slow")), { timeouts: { idleMs: 250 } });
    const { sink, resume } = send(
      upstream,
      {},
      recordingSink(() => false),
    );
    await until("the data", () => sink.octets() === 4 || sink.isOver());
    await timedOutTwice(lab, 250);
    resume();
    await sink.over;
    expect(sink.failures()).toEqual([]);
    expect(sink.faults).toEqual([]);
  });

  duty("the client's silence while it uploads is not the upstream's", async (lab) => {
    const { upstream } = await lab.upstream(answering(ok()), { timeouts: { idleMs: 250, headersMs: 250 } });
    const content = new PassThrough();
    const { sink } = send(upstream, { method: "POST", body: { kind: "chunked", content } });
    content.write("a");
    await timedOutTwice(lab, 250);
    expect(sink.isOver()).toBe(false);
    content.end();
    await sink.over;
    expect(sink.failures()).toEqual([]);
  });
});
