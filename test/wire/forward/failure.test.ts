/** What a broken upstream is called, and that its connection is not used again. */
import { createServer } from "node:net";
import { PassThrough } from "node:stream";
import { expect } from "vitest";
import { startFullListener } from "../../support/full-listener.ts";
import { answering, type RawConnection, type Script } from "../../support/raw-upstream.ts";
import { recordingSink } from "../../support/recording-sink.ts";
import { until } from "../../support/until.ts";
import { duties, exchange, failing, ok, send, sized } from "./engines.ts";

/** The first request of all gets the fault, all others an answer. */
function faulty(fault: (connection: RawConnection) => void): Script {
  let first = true;
  return (connection) => {
    connection.onRequest(() => {
      if (!first) return connection.write(ok("next"));
      first = false;
      fault(connection);
    });
  };
}

const closing = (bytes: string) => (connection: RawConnection) => {
  connection.write(bytes);
  connection.socket.end();
};
/** Resets once the bytes were read at the other end. */
const resetting = (bytes: string) => (connection: RawConnection) => {
  if (bytes === "") connection.reset();
  else connection.socket.write(Buffer.from(bytes, "latin1"), () => setTimeout(() => connection.reset(), 20));
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

duties("a failure", (duty) => {
  duty("connect_failed, nothing sent, when the connection is refused", async (lab) => {
    const upstream = lab.to(new URL(`http://127.0.0.1:${await freePort()}`));
    for (const body of [
      { kind: "none" } as const,
      sized(Buffer.from("x")),
      { kind: "chunked", content: new PassThrough() } as const,
    ]) {
      const sink = await failing(upstream, { method: "POST", body });
      expect(sink.failures()).toEqual([{ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" }]);
    }
  });

  duty("connect_failed leaves a streamed body unread, for another upstream to be sent to", async (lab) => {
    const content = new PassThrough();
    content.end("hello");
    const body = sized(content, 5);
    await failing(lab.to(new URL(`http://127.0.0.1:${await freePort()}`)), { method: "POST", body });
    expect(content.readableDidRead).toBe(false);
    expect(content.destroyed).toBe(false);
    const { raw, upstream } = await lab.upstream(answering(ok()));
    await exchange(upstream, { method: "POST", body });
    expect(raw.requests()[0]?.body.toString()).toBe("hello");
  });

  duty("connect_failed when the name does not resolve", async (lab) => {
    const sink = await failing(lab.to(new URL("http://does-not-exist.invalid:80")));
    expect(sink.failures()).toMatchObject([{ outcome: "connect_failed", sent: false }]);
    expect(sink.failures()[0]?.code).toMatch(/^(ENOTFOUND|EAI_AGAIN)$/);
  });

  duty("connect_failed when the connection takes too long", async (lab) => {
    const full = await startFullListener();
    try {
      const upstream = lab.to(full.url, { connectMs: 80 });
      const began = performance.now();
      const sink = await failing(upstream);
      expect(sink.failures()).toEqual([
        { outcome: "connect_failed", sent: false, code: "ERR_CONNECT_TIMEOUT" },
      ]);
      expect(performance.now() - began).toBeLessThan(1000);
    } finally {
      full.close();
    }
  });

  duty("connect_failed after close", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    await exchange(upstream);
    await upstream.close();
    const sink = await failing(upstream);
    expect(sink.failures()).toMatchObject([{ outcome: "connect_failed", sent: false }]);
    expect(raw.requests()).toHaveLength(1);
  });

  duty("timeout when no head comes", async (lab) => {
    const { raw, upstream } = await lab.upstream(
      faulty(() => {}),
      { timeouts: { headersMs: 60 }, connections: 1 },
    );
    const began = performance.now();
    const sink = await failing(upstream);
    expect(sink.failures()).toEqual([{ outcome: "timeout", sent: true, code: "ERR_HEADERS_TIMEOUT" }]);
    expect(performance.now() - began).toBeGreaterThan(50);
    await until("the end of the connection", () => raw.connections[0]?.closedBy() !== "open");
    expect((await exchange(upstream)).body().toString()).toBe("next");
  });

  duty("timeout when no head comes after a streamed body", async (lab) => {
    const { raw, upstream } = await lab.upstream(() => {}, { timeouts: { headersMs: 60 } });
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
      { timeouts: { headersMs: 100 } },
    );
    const sink = await failing(upstream);
    expect(sink.interims.length).toBeGreaterThan(2);
    expect(sink.failures()).toEqual([{ outcome: "timeout", sent: true, code: "ERR_HEADERS_TIMEOUT" }]);
  });

  duty("the headers timeout begins when the request was sent whole", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()), {
      timeouts: { headersMs: 100, idleMs: 5000 },
    });
    const content = new PassThrough();
    const { sink } = send(upstream, { method: "POST", body: { kind: "chunked", content } });
    content.write("a");
    await until("its first chunk", () => raw.connections[0]?.received().includes("1\r\na") ?? false);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(sink.isOver()).toBe(false);
    content.end("b");
    await sink.over;
    expect(sink.failures()).toEqual([]);
    expect(raw.requests()[0]?.body.toString()).toBe("ab");
  });

  duty("timeout when the upstream stops taking the body", async (lab) => {
    const { upstream } = await lab.upstream((connection) => connection.socket.pause(), {
      timeouts: { idleMs: 150, headersMs: 20_000 },
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
      { timeouts: { idleMs: 60 }, connections: 1 },
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
          connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
          for (let i = 0; i < 10; i++) {
            await new Promise((resolve) => setTimeout(resolve, 30));
            connection.write("x");
          }
        });
      },
      { timeouts: { idleMs: 150, headersMs: 150 } },
    );
    expect((await exchange(upstream)).octets()).toBe(10);
  });

  duty("a slow client is not the upstream's silence", async (lab) => {
    const { upstream } = await lab.upstream(answering(ok("slow")), { timeouts: { idleMs: 50 } });
    const { sink, resume } = send(
      upstream,
      {},
      recordingSink(() => false),
    );
    await until("the data", () => sink.octets() === 4 || sink.isOver());
    await new Promise((resolve) => setTimeout(resolve, 200));
    resume();
    await sink.over;
    expect(sink.failures()).toEqual([]);
    expect(sink.faults).toEqual([]);
  });

  duty("the client's silence while it uploads is not the upstream's", async (lab) => {
    const { upstream } = await lab.upstream(answering(ok()), { timeouts: { idleMs: 50, headersMs: 50 } });
    const content = new PassThrough();
    const { sink } = send(upstream, { method: "POST", body: { kind: "chunked", content } });
    content.write("a");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sink.isOver()).toBe(false);
    content.end();
    await sink.over;
    expect(sink.failures()).toEqual([]);
  });

  for (const [what, fault] of [
    ["a close before the head", closing("")],
    ["a reset before the head", resetting("")],
    ["a close inside the head", closing("HTTP/1.1 200 OK\r\nContent-Le")],
    ["a close after an interim response", closing("HTTP/1.1 103 Early Hints\r\n\r\n")],
  ] as const) {
    duty(`reset: ${what} (RFC 9112 §8)`, async (lab) => {
      const { upstream } = await lab.upstream(faulty(fault));
      const sink = await failing(upstream);
      expect(sink.heads).toEqual([]);
      expect(sink.failures()).toMatchObject([{ outcome: "reset", sent: true }]);
      expect((await exchange(upstream)).body().toString()).toBe("next");
    });
  }

  for (const connection of ["keep-alive", "close"]) {
    for (const [framing, body] of [
      ["Content-Length: 9", "half"],
      ["Transfer-Encoding: chunked", "9\r\nhalf"],
      ["Transfer-Encoding: chunked", "4\r\nhalf\r\n"],
      ["Transfer-Encoding: chunked", "4\r\nhalf\r\n0\r\n"],
    ] as const) {
      const bytes = `HTTP/1.1 200 OK\r\nConnection: ${connection}\r\n${framing}\r\n\r\n${body}`;
      for (const [end, fault] of [
        ["closed", closing(bytes)],
        ["reset", resetting(bytes)],
      ] as const) {
        duty(
          `reset: ${connection}, ${framing}, ${JSON.stringify(body)}, then ${end} (RFC 9112 §8)`,
          async (lab) => {
            const { upstream } = await lab.upstream(faulty(fault));
            const sink = await failing(upstream);
            expect(sink.failures()).toMatchObject([{ outcome: "reset", sent: true }]);
            expect((await exchange(upstream)).body().toString()).toBe("next");
          },
        );
      }
    }
  }

  duty("reset: a body the close would delimit, ended by a reset (RFC 9112 §8)", async (lab) => {
    const { upstream } = await lab.upstream(faulty(resetting("HTTP/1.1 200 OK\r\n\r\nhalf")));
    const sink = await failing(upstream);
    expect(sink.failures()).toMatchObject([{ outcome: "reset", sent: true }]);
  });

  // The end of a connection whose response is not read any more ended the process through undici 7.
  for (const framing of ["Connection: close\r\nContent-Length: 9\r\n", "", "Content-Length: 9\r\n"]) {
    for (const [end, fault] of [
      ["closed", closing],
      ["reset", resetting],
    ] as const) {
      duty(
        `a response of ${JSON.stringify(framing)} ${end} while the client reads nothing (RFC 9112 §8)`,
        async (lab) => {
          const { raw, upstream } = await lab.upstream(
            faulty(fault(`HTTP/1.1 200 OK\r\n${framing}\r\nhalf`)),
          );
          const { sink, resume } = send(
            upstream,
            {},
            recordingSink(() => false),
          );
          await until("the data", () => sink.octets() > 0);
          await until("the end of the connection", () => {
            const socket = raw.connections[0]?.socket;
            return socket?.destroyed === true || socket?.writableFinished === true;
          });
          await exchange(upstream);
          resume();
          await sink.over;
          if (framing === "" && end === "closed") expect(sink.calls).toEqual(["head", "data", "end"]);
          else expect(sink.failures()).toMatchObject([{ outcome: "reset", sent: true }]);
          expect(sink.faults).toEqual([]);
        },
      );
    }
  }

  for (const [what, bytes] of [
    [
      "Content-Length and Transfer-Encoding (§6.3)",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
    [
      "Transfer-Encoding and Content-Length (§6.3)",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
    ["two lengths (§6.3)", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"],
    ["a length that is none (§6.3)", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"],
    [
      "another transfer coding (§6.1)",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
    ["an unknown transfer coding (§6.1)", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok"],
    ["no HTTP at all (§4)", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["a control in a field (§5)", "HTTP/1.1 200 OK\r\nX-A: a\u0000b\r\nContent-Length: 2\r\n\r\nok"],
    ["a space before the colon (§5.1)", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"],
    [
      "a 101 nobody asked for (RFC 9110 §15.2.2)",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ["a 101 that names no protocol (RFC 9110 §15.2.2)", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["a 100 without end", `HTTP/1.1 100 Continue\r\nX-Long: ${"x".repeat(80_000)}`],
    ["a head without end", `HTTP/1.1 200 OK\r\nX-Long: ${"x".repeat(40_000)}\r\n\r\n`],
  ] as const) {
    duty(`protocol_error: ${what} (RFC 9112)`, async (lab) => {
      const { raw, upstream } = await lab.upstream(
        faulty((connection) => connection.write(bytes)),
        { connections: 1 },
      );
      const sink = await failing(upstream);
      expect(sink.heads).toEqual([]);
      expect(sink.failures()).toMatchObject([{ outcome: "protocol_error", sent: true }]);
      expect((await exchange(upstream)).body().toString()).toBe("next");
      expect(raw.connections).toHaveLength(2);
      await until("the end of the connection", () => raw.connections[0]?.closedBy() !== "open");
    });
  }

  duty("protocol_error: a chunk size that is none, mid-body (RFC 9112 §7.1)", async (lab) => {
    const { upstream } = await lab.upstream(
      faulty((connection) =>
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nxyz\r\n"),
      ),
    );
    const sink = await failing(upstream);
    expect(sink.calls.filter((call) => call !== "data")).toEqual(["head", "failure"]);
    expect(sink.failures()).toMatchObject([{ outcome: "protocol_error", sent: true }]);
    expect((await exchange(upstream)).body().toString()).toBe("next");
  });

  duty("a kept connection the upstream has closed meanwhile is not used", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    await exchange(upstream);
    raw.connections[0]?.socket.end();
    await until("the end of the connection", () => raw.connections[0]?.closedBy() !== "open");
    await exchange(upstream);
    expect(raw.connections).toHaveLength(2);
  });
});
