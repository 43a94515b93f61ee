/** What the sink is told of a response. */
import { PassThrough } from "node:stream";
import { expect } from "vitest";
import { answering, type Script } from "../../support/raw-upstream.ts";
import { turn, until } from "../../support/until.ts";
import { duties, exchange, failing, ok, send, sized } from "./engines.ts";

/** Answers each request with the bytes in two packets, split one octet further each time. */
function splitting(bytes: string): Script {
  let at = 0;
  return (connection) =>
    connection.onRequest(async () => {
      const splitAt = at++;
      connection.write(bytes.slice(0, splitAt));
      for (let i = 0; i < 3; i++) await turn();
      connection.write(bytes.slice(splitAt));
    });
}

duties("the response", (duty) => {
  duty(
    "passes status, reason, and every field in order, repeated ones apart (RFC 9110 §5.3)",
    async (lab) => {
      const head =
        "HTTP/1.1 299 Quite Fine\r\nSet-Cookie: a=1\r\nX-A: 1\r\nset-cookie: b=2\r\nSet-Cookie: c=3\r\n" +
        "WWW-Authenticate: Basic\r\nWWW-Authenticate: Digest\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok";
      const { upstream } = await lab.upstream(answering(head));
      const sink = await exchange(upstream);
      expect(sink.heads).toEqual([
        {
          status: 299,
          reason: "Quite Fine",
          fields: [
            ...["Set-Cookie", "a=1", "X-A", "1", "set-cookie", "b=2", "Set-Cookie", "c=3"],
            ...[
              "WWW-Authenticate",
              "Basic",
              "WWW-Authenticate",
              "Digest",
              "X-Empty",
              "",
              "Content-Length",
              "2",
            ],
          ],
        },
      ]);
      expect(sink.body().toString()).toBe("ok");
      expect(sink.trailers()).toEqual([]);
    },
  );

  duty("passes obs-text in fields octet for octet (RFC 9110 §5.5)", async (lab) => {
    const value = "caf\u00e9 \u00c3\u00a9 \u0080\u00ff";
    const { upstream } = await lab.upstream(
      answering(`HTTP/1.1 200 OK\r\nX-Latin: ${value}\r\nContent-Length: 0\r\n\r\n`),
    );
    const sink = await exchange(upstream);
    expect(sink.heads[0]?.fields.slice(0, 2)).toEqual(["X-Latin", value]);
  });

  const reasoned = (reason: string) => `HTTP/1.1 200${reason}\r\nContent-Length: 0\r\n\r\n`;
  duty("passes an obs-text reason phrase octet for octet (RFC 9112 §4)", async (lab) => {
    const { upstream } = await lab.upstream(
      answering(reasoned(" D\u00e9j\u00e0 vu"), reasoned(" D\u00c3\u00a9j\u00c3\u00a0")),
    );
    expect((await exchange(upstream)).heads[0]?.reason).toBe("D\u00e9j\u00e0 vu");
    expect((await exchange(upstream)).heads[0]?.reason).toBe("D\u00c3\u00a9j\u00c3\u00a0");
  });

  duty("passes no reason phrase where there is none (RFC 9112 §4)", async (lab) => {
    const { upstream } = await lab.upstream(answering(ok(), reasoned(" "), ok(), reasoned("")));
    expect((await exchange(upstream)).heads[0]?.reason).toBe("OK");
    expect((await exchange(upstream)).heads[0]?.reason).toBe("");
    expect((await exchange(upstream)).heads[0]?.reason).toBe("OK");
    expect((await exchange(upstream)).heads[0]?.reason).toBe("");
  });

  for (const control of ["\u0001", "\u007f", "\u001b[31m", "\u0000"]) {
    duty(
      `a reason phrase with the control ${JSON.stringify(control)} never goes on (RFC 9112 §4)`,
      async (lab) => {
        const { upstream } = await lab.upstream(answering(reasoned(` a${control}b`), ok()));
        const { sink } = send(upstream);
        await sink.over;
        if (sink.failures().length > 0) expect(sink.failures()[0]?.outcome).toBe("protocol_error");
        else expect(sink.heads[0]?.reason).toBe("");
        expect((await exchange(upstream)).body().toString()).toBe("ok");
      },
    );
  }

  for (const [method, head] of [
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"],
    ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n"],
  ] as const) {
    duty(`${method}: ${JSON.stringify(head)} has no content (RFC 9112 §6.3)`, async (lab) => {
      const { raw, upstream } = await lab.upstream((connection) => {
        connection.onRequest(({ line }) =>
          connection.write(line.startsWith(`${method} /it`) ? head : ok("next")),
        );
      });
      const sink = await exchange(upstream, { method, target: "/it" });
      expect(sink.calls).toEqual(["head", "end"]);
      expect((await exchange(upstream)).body().toString()).toBe("next");
      expect(raw.requests()).toHaveLength(2);
    });

    duty(
      `${method}: content that comes all the same after ${JSON.stringify(head)} reaches nobody (RFC 9112 §6.3)`,
      async (lab) => {
        const { upstream } = await lab.upstream((connection) => {
          connection.onRequest(({ line }) => {
            connection.write(
              line.startsWith(`${method} /it`)
                ? `${head}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`
                : ok("next"),
            );
          });
        });
        const sink = await exchange(upstream, { method, target: "/it" });
        expect(sink.octets()).toBe(0);
        for (let i = 0; i < 3; i++) expect((await exchange(upstream)).body().toString()).toBe("next");
      },
    );
  }

  duty("drops what comes beyond the declared length, with the connection (RFC 9112 §6.3)", async (lab) => {
    const { raw, upstream } = await lab.upstream((connection) => {
      connection.onRequest(({ line }) => {
        connection.write(
          line === "GET /long HTTP/1.1"
            ? `${ok("right")}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`
            : ok("next"),
        );
      });
    });
    expect((await exchange(upstream, { target: "/long" })).body().toString()).toBe("right");
    for (let i = 0; i < 3; i++) expect((await exchange(upstream)).body().toString()).toBe("next");
    await until("the end of the connection", () => raw.connections[0]?.closedBy() !== "open");
  });

  duty("passes 103 and then the response (RFC 8297 §2)", async (lab) => {
    const early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
    const { upstream } = await lab.upstream(answering(`${early}${early}${ok()}`));
    const sink = await exchange(upstream);
    expect(sink.calls).toEqual(["interim", "interim", "head", "data", "end"]);
    expect(sink.interims[0]).toEqual({
      status: 103,
      reason: "Early Hints",
      fields: ["Link", "</a.css>; rel=preload"],
    });
    expect(sink.heads[0]?.fields).toEqual(["Content-Length", "2"]);
  });

  for (const splitAt of [0, 1, 11, 12, 20, 23, 25]) {
    duty(`a 100 nobody asked for, split at ${splitAt}, does no harm (RFC 9110 §15.2.1)`, async (lab) => {
      const bytes = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Go on\r\nX-A: b\r\n\r\n${ok()}`;
      const { raw, upstream } = await lab.upstream(
        (connection) => {
          connection.onRequest(async () => {
            connection.write(bytes.slice(0, splitAt));
            for (let i = 0; i < 5; i++) await turn();
            connection.write(bytes.slice(splitAt));
          });
        },
        { connections: 1 },
      );
      for (let i = 0; i < 3; i++) {
        const sink = await exchange(upstream, { method: "POST", body: sized(Buffer.from("x")) });
        expect(sink.heads.map(({ status }) => status)).toEqual([200]);
        expect(sink.body().toString()).toBe("ok");
      }
      expect(raw.connections).toHaveLength(1);
    });
  }

  duty(
    "a 100 nobody asked for after another interim response does no harm (RFC 9110 §15.2.1)",
    async (lab) => {
      const bytes = `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 D\u00e9j\u00e0\r\nX-A: b\r\n\r\n${ok()}`;
      const { raw, upstream } = await lab.upstream(splitting(bytes), { connections: 1 });
      for (let i = 0; i <= bytes.length; i++) {
        const sink = await exchange(upstream);
        const passed = sink.interims.filter(({ status }) => status !== 100);
        expect(passed.map(({ status, reason }) => [status, reason])).toEqual([
          [103, "Early Hints"],
          [102, "D\u00e9j\u00e0"],
        ]);
        expect(sink.body().toString()).toBe("ok");
      }
      expect(raw.connections).toHaveLength(1);
    },
  );

  duty("reads a head split at any octet, its reason phrase whole (RFC 9112 §4)", async (lab) => {
    const bytes = `HTTP/1.1 200 Quite D\u00e9j\u00e0 vu\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok`;
    const { raw, upstream } = await lab.upstream(splitting(bytes), { connections: 1 });
    for (let i = 0; i <= bytes.length; i++) {
      const sink = await exchange(upstream);
      expect(sink.heads[0]?.reason).toBe("Quite D\u00e9j\u00e0 vu");
      expect(sink.body().toString()).toBe("ok");
    }
    expect(raw.connections).toHaveLength(1);
  });

  for (const [what, bytes] of [
    ["status line", `HTTP/1.1 200 ${"a".repeat(100_000)}`],
    ["head of an interim response", `HTTP/1.1 103 Early Hints\r\nX-A: ${"a".repeat(100_000)}`],
  ] as const) {
    duty(`a ${what} without end is refused (RFC 9112 §4)`, async (lab) => {
      const { upstream } = await lab.upstream(answering(bytes));
      expect((await failing(upstream)).failures()).toMatchObject([{ outcome: "protocol_error", sent: true }]);
    });
  }

  duty("a version that is not HTTP/1 is refused (RFC 9112 §2.3)", async (lab) => {
    const { upstream } = await lab.upstream(answering(ok().replace("HTTP/1.1", "HTTP/2.0"), ok()));
    expect((await failing(upstream)).failures()).toMatchObject([{ outcome: "protocol_error", sent: true }]);
    expect((await exchange(upstream)).body().toString()).toBe("ok");
  });

  duty("passes trailers (RFC 9110 §6.5)", async (lab) => {
    const { upstream } = await lab.upstream(
      answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2;ext=1\r\nok\r\n0\r\nX-Sum: caf\u00e9\r\nx-sum: 2\r\n\r\n",
        ok(),
      ),
    );
    const sink = await exchange(upstream);
    expect(sink.body().toString()).toBe("ok");
    expect(sink.trailers()).toEqual(["X-Sum", "caf\u00e9", "x-sum", "2"]);
    expect((await exchange(upstream)).trailers()).toEqual([]);
  });

  duty("reads a body that the end of the connection delimits (RFC 9112 §6.3)", async (lab) => {
    const { upstream } = await lab.upstream((connection) => {
      connection.onRequest(() => {
        connection.write("HTTP/1.1 200 OK\r\n\r\nall of it");
        connection.socket.end();
      });
    });
    expect((await exchange(upstream)).body().toString()).toBe("all of it");
  });

  duty("reads an HTTP/1.0 response (RFC 9110 §2.5)", async (lab) => {
    const { upstream } = await lab.upstream((connection) => {
      connection.onRequest(() => {
        connection.write("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
        connection.socket.end();
      });
    });
    for (let i = 0; i < 2; i++) expect((await exchange(upstream)).body().toString()).toBe("ok");
  });

  duty("reads a response that comes an octet at a time", async (lab) => {
    const response =
      "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: u\r\n\r\n";
    const { upstream } = await lab.upstream((connection) => {
      connection.onRequest(async () => {
        for (const octet of response) {
          connection.write(octet);
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
    });
    const sink = await exchange(upstream);
    expect(sink.heads[0]?.fields).toEqual(["X-A", "b", "Transfer-Encoding", "chunked"]);
    expect(sink.body().toString()).toBe("abc");
    expect(sink.trailers()).toEqual(["X-T", "u"]);
  });

  duty(
    "relays an answer that comes before the request is whole; the next request is sane (RFC 9112 §9.3)",
    async (lab) => {
      const { raw, upstream } = await lab.upstream(
        (connection) => {
          let answered = false;
          connection.socket.on("data", () => {
            if (!answered && connection.received().includes("first")) {
              answered = true;
              connection.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
            }
          });
          connection.onRequest(({ line }) => {
            if (line.startsWith("GET")) connection.write(ok("next"));
          });
        },
        { connections: 1 },
      );
      const content = new PassThrough();
      content.write("first");
      const sink = await exchange(upstream, { method: "POST", body: { kind: "chunked", content } });
      expect(sink.heads[0]?.status).toBe(413);
      expect(sink.body().toString()).toBe("big");
      content.write("more that must not be read as a request");
      expect((await exchange(upstream)).body().toString()).toBe("next");
      await until("the end of the first connection", () => raw.connections[0]?.closedBy() !== "open");
      expect(raw.connections[0]?.requests).toEqual([]);
      expect(content.destroyed).toBe(false);
      expect(content.listenerCount("data")).toBe(0);
    },
  );
});
