/** What a broken upstream is called, and that its connection is not used again. */
import { PassThrough } from "node:stream";
import { expect } from "vitest";
import { freePort } from "../../support/free-port.ts";
import { startFullListener } from "../../support/full-listener.ts";
import { answering } from "../../support/raw-upstream.ts";
import { recordingSink } from "../../support/recording-sink.ts";
import { until } from "../../support/until.ts";
import { duties, exchange, failing, ok, send, sized } from "./engines.ts";
import { closing, faulty, resetting } from "./faults.ts";

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
});
