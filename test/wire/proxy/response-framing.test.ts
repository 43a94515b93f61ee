/** Where a response ends: what is refused from an upstream, and how it is framed towards the client. */
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import { chunked, type Duty, duties, get, ok, post, request } from "./lab.ts";

const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

/** 502, and whatever else that upstream said on the connection reaches nobody. */
function badGateways(duty: Duty): void {
  const bad: Readonly<Record<string, string>> = {
    "Content-Length with Transfer-Encoding (RFC 9112 §6.3)":
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding with Content-Length (RFC 9112 §6.3)":
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two Content-Lengths that differ (RFC 9112 §6.3)":
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "Content-Length: +5 (RFC 9110 §8.6)": "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "Content-Length: -5 (RFC 9110 §8.6)": "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "Content-Length: 0x5 (RFC 9110 §8.6)": "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
    "Content-Length: 5,6 (RFC 9110 §8.6)": "HTTP/1.1 200 OK\r\nContent-Length: 5,6\r\n\r\nhello",
    "Content-Length: 99999999999999999999 (RFC 9110 §8.6)":
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
    "Transfer-Encoding: gzip (RFC 9112 §6.1)": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    "Transfer-Encoding: gzip, chunked (RFC 9112 §6.1)":
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "bare LF in the head (RFC 9112 §2.2)": "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "a space before the colon (RFC 9112 §5.1)": "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    "NUL in a value (RFC 9110 §5.5)": "HTTP/1.1 200 OK\r\nX-A: b\u0000c\r\nContent-Length: 5\r\n\r\nhello",
    "a control character in a name (RFC 9110 §5.1)":
      "HTTP/1.1 200 OK\r\nX-\u0001: b\r\nContent-Length: 5\r\n\r\nhello",
    "another protocol (RFC 9112 §4)": "ICY 200 OK\r\n\r\n",
    "a status of two digits (RFC 9112 §4)": "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a status of letters (RFC 9112 §4)": "HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello",
    "a status below 100 (RFC 9110 §15)": "HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a 101 nobody asked for (RFC 9110 §15.2.2)":
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: upgrade\r\n\r\n",
    "a 101 without a protocol (RFC 9110 §15.2.2)": "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "a head without end (RFC 9110 §5.4)": `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(100_000)}`,
  };
  for (const [what, bytes] of Object.entries(bad)) {
    duty(`from an upstream ${what} → 502, its connection is not used again`, async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(({ line }) => {
          connection.write(line === "GET /bad HTTP/1.1" ? bytes + evil : ok("next"));
        });
      });
      const client = await proxy.client();
      client.write(get("/bad"));
      const answer = await client.response();
      expect(answer.status).toBe(502);
      expect(valuesOf(answer.fields, "proxy-status")[0]).toMatch(/; error=http_protocol_error$/);
      await until("the end of the connection", () => proxy.raw.connections[0]?.closedBy() !== "open", 1000);
      for (let i = 0; i < 3; i++) {
        client.write(get());
        expect((await client.response()).body.toString()).toBe("next");
      }
      await proxy.expectOutcomes({ protocol_error: 1, ok: 3 });
    });
  }
  for (const control of ["\u0001", "\u0007", "\u001b[31m", "\u007f"]) {
    for (const [where, head] of [
      ["the reason", `HTTP/1.1 200 a${control}b\r\nContent-Length: 5\r\n\r\nhello`],
      ["a value", `HTTP/1.1 200 OK\r\nX-A: a${control}b\r\nContent-Length: 5\r\n\r\nhello`],
    ]) {
      duty(
        `the control ${JSON.stringify(control)} in ${where} from an upstream never goes on (RFC 9110 §5.5)`,
        async (lab) => {
          const proxy = await lab.start(answering(head ?? "", ok("next")));
          const client = await proxy.client();
          client.write(get());
          const answer = await client.response();
          // The strict client would refuse the control itself.
          expect([200, 502]).toContain(answer.status);
          client.write(get());
          expect((await client.response()).body.toString()).toBe("next");
        },
      );
    }
  }
  duty("an obs-fold from an upstream becomes a space, or 502 (RFC 9112 §5.2)", async (lab) => {
    const proxy = await lab.start(
      answering("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok"),
    );
    const answer = await proxy.answerTo(get());
    if (answer.status === 200) expect(valuesOf(answer.fields, "x-a")[0]).toMatch(/^b +c$/);
    else expect(answer.status).toBe(502);
  });
  duty("HTTP/2.0 in the status line → 502 (RFC 9112 §2.3)", async (lab) => {
    const proxy = await lab.start(answering("HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", ok("next")));
    expect((await proxy.answerTo(get())).status).toBe(502);
    expect((await proxy.answerTo(get())).body.toString()).toBe("next");
  });
  duty("an upstream that closes without an answer → 502 (RFC 9110 §15.6.3)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => connection.socket.end());
    });
    expect((await proxy.answerTo(post("x"))).status).toBe(502);
    await proxy.expectOutcomes({ reset: 1 });
  });
  duty("an upstream that resets without an answer → 502 (RFC 9110 §15.6.3)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => connection.reset());
    });
    expect((await proxy.answerTo(post("x"))).status).toBe(502);
    await proxy.expectOutcomes({ reset: 1 });
  });
}

function ends(duty: Duty): void {
  const short: Readonly<Record<string, string>> = {
    "of a declared length": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "of chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "inside a chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
    "before the trailers' end": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
  };
  for (const [what, bytes] of Object.entries(short)) {
    for (const how of ["an end", "a reset"]) {
      duty(`a body ${what} broken off by ${how}: the client sees an abort (RFC 9112 §8)`, async (lab) => {
        const proxy = await lab.start((connection) => {
          connection.onRequest(() => connection.write(bytes));
        });
        const client = await proxy.client();
        client.write(get());
        await until("the beginning", () => client.received().includes("hello"));
        if (how === "an end") proxy.raw.connections[0]?.socket.end();
        else proxy.raw.connections[0]?.reset();
        await expect(client.response()).rejects.toThrow("the connection ended");
        await proxy.expectOutcomes({ reset: 1 });
      });
    }
  }
  duty("a malformed chunk in the middle: the client sees an abort (RFC 9112 §8)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => {
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
      });
    });
    const client = await proxy.client();
    client.write(get());
    await until("the beginning", () => client.received().includes("hello"));
    proxy.raw.connections[0]?.write(`zz\r\n${evil}`);
    await expect(client.response()).rejects.toThrow("the connection ended");
    await until("the end of the connection", () => proxy.openUpstream() === 0, 1000);
    await proxy.expectOutcomes({ protocol_error: 1 });
  });
  duty("a body that only the close delimits, reset: the client sees an abort (RFC 9112 §8)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => connection.write("HTTP/1.1 200 OK\r\n\r\nhello"));
    });
    const client = await proxy.client();
    client.write(get());
    await until("the beginning", () => client.received().includes("hello"));
    proxy.raw.connections[0]?.reset();
    await expect(client.response()).rejects.toThrow("the connection ended");
    await proxy.expectOutcomes({ reset: 1 });
  });
  duty("a body that only the close delimits ends as chunks (RFC 9112 §6.3)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => {
        connection.write("HTTP/1.1 200 OK\r\n\r\nhello");
        connection.socket.end();
      });
    });
    const client = await proxy.client();
    for (let i = 0; i < 2; i++) {
      client.write(get());
      const answer = await client.response();
      expect(answer.framing).toBe("chunked");
      expect(answer.body.toString()).toBe("hello");
    }
    await proxy.expectOutcomes({ ok: 2 });
  });
  duty("an HTTP/1.0 upstream is understood (RFC 9110 §2.5)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => {
        connection.write("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
        connection.socket.end();
      });
    });
    for (let i = 0; i < 2; i++) expect((await proxy.answerTo(get())).line).toBe("HTTP/1.1 200 OK");
  });

  duty(
    "what comes beyond the declared length is dropped, with the connection (RFC 9112 §6.3)",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(({ line }) => {
          connection.write(line.startsWith("GET /long") ? ok("right") + evil : ok("next"));
        });
      });
      const client = await proxy.client();
      client.write(get("/long"));
      expect((await client.response()).body.toString()).toBe("right");
      for (let i = 0; i < 3; i++) {
        client.write(get());
        expect((await client.response()).body.toString()).toBe("next");
      }
      await until("the end of the connection", () => proxy.raw.connections[0]?.closedBy() !== "open", 1000);
      expect(client.unread()).toHaveLength(0);
    },
  );

  for (const [method, head] of [
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"],
    ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["GET", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ] as const) {
    for (const [what, extra] of [
      ["nothing", ""],
      ["content all the same", evil],
      ["chunks all the same", "4\r\nevil\r\n0\r\n\r\n"],
    ] as const) {
      duty(
        `${method} ${JSON.stringify(head)} followed by ${what}: no octet of it reaches a client (RFC 9112 §6.3)`,
        async (lab) => {
          const proxy = await lab.start((connection) => {
            connection.onRequest(({ line }) => {
              connection.write(line.includes(" /it ") ? head + extra : ok("next"));
            });
          });
          const client = await proxy.client();
          client.write(request(`${method} /it`));
          const answer = await client.response(method);
          // A 204 with a length is no HTTP at all, and may be refused (RFC 9110 §8.6).
          if (answer.status !== 502) expect(answer.line).toBe(head.slice(0, head.indexOf("\r\n")));
          for (let i = 0; i < 3; i++) {
            client.write(get());
            expect((await client.response()).body.toString()).toBe("next");
          }
        },
      );
    }
  }
  duty("HEAD tells the length GET would have (RFC 9110 §8.6)", async (lab) => {
    const proxy = await lab.start(answering("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"));
    const answer = await proxy.answerTo(request("HEAD /"), "HEAD");
    expect(valuesOf(answer.fields, "content-length")).toEqual(["5000"]);
  });
  duty("304 tells the length it leaves out (RFC 9110 §8.6)", async (lab) => {
    const proxy = await lab.start(
      answering('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 5000\r\n\r\n'),
    );
    const answer = await proxy.answerTo(get());
    expect(valuesOf(answer.fields, "content-length")).toEqual(["5000"]);
  });
  duty("204 has no Content-Length (RFC 9110 §8.6)", async (lab) => {
    const proxy = await lab.start(answering("HTTP/1.1 204 No Content\r\n\r\n"));
    const answer = await proxy.answerTo(get());
    expect(valuesOf(answer.fields, "content-length")).toEqual([]);
    expect(valuesOf(answer.fields, "transfer-encoding")).toEqual([]);
  });
}

function canonical(duty: Duty): void {
  for (const length of ["0005", "5 ", "\t5", "5\t"]) {
    duty(
      `Content-Length: ${JSON.stringify(length)} from an upstream goes on as 5 or in chunks, or 502 (RFC 9110 §8.6)`,
      async (lab) => {
        const proxy = await lab.start(answering(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\nhello`));
        const answer = await proxy.answerTo(get());
        if (answer.status === 200) {
          // The strict client refuses any framing that is not canonical.
          expect(answer.body.toString()).toBe("hello");
        } else expect(answer.status).toBe(502);
      },
    );
  }
  for (const [what, body] of [
    ["extensions", "5;a=b\r\nhello\r\n0;c\r\n\r\n"],
    ["leading zeros", "0005\r\nhello\r\n000\r\n\r\n"],
    ["capitals", "0A\r\nhellohello\r\n0\r\n\r\n"],
  ] as const) {
    duty(`a chunk size's ${what} from an upstream never go on (RFC 9112 §7.1.1)`, async (lab) => {
      const proxy = await lab.start(
        answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
      );
      const client = await proxy.client();
      client.write(get());
      const answer = await client.response();
      expect(answer.body.toString()).toMatch(/^(hello)+$/);
      const sent = client.received().toString();
      expect(sent.slice(sent.indexOf("\r\n\r\n") + 4)).toMatch(/^(5\r\nhello|a\r\nhellohello)\r\n0\r\n\r\n$/);
    });
  }
  duty(
    "a chunk size with a space after it from an upstream is refused or made canonical (RFC 9112 §7.1)",
    async (lab) => {
      const proxy = await lab.start(
        answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"),
      );
      const answer = await proxy.answerTo(get()).catch((error: Error) => error.message);
      if (typeof answer === "string") expect(answer).toMatch(/the connection ended/);
      else expect([200, 502]).toContain(answer.status);
    },
  );
}

function early(duty: Duty): void {
  duty(
    "an answer before the upload's end is relayed; nothing behind it is read as a request (RFC 9112 §9.3)",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        let answered = false;
        connection.socket.on("data", () => {
          if (answered || !connection.received().includes("first")) return;
          answered = true;
          connection.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
        });
        connection.onRequest(({ line }) => {
          if (line.startsWith("GET")) connection.write(ok("next"));
        });
      });
      const client = await proxy.client();
      client.write(request("POST /", ["Transfer-Encoding: chunked"], "5\r\nfirst\r\n"));
      const answer = await client.response();
      expect(answer.status).toBe(413);
      expect(answer.body.toString()).toBe("big");
      // Nobody knows how much an upload in chunks will be: its connection ends with the answer (early-answer.test.ts).
      expect(valuesOf(answer.fields, "connection")).toEqual(["close"]);
      // The rest of the upload, which looks like a request and is none; then a request.
      client.write(`10\r\nGET /x HTTP/1.1\n\r\n0\r\n\r\n${get("/next")}`);
      expect(await client.closed()).toBe("fin");
      expect(proxy.raw.requests()).toEqual([]);
      await until(
        "the end of the first connection",
        () => proxy.raw.connections[0]?.closedBy() !== "open",
        1000,
      );
      await proxy.expectOutcomes({ ok: 1 });
    },
  );
  duty("an answer while the upload goes on is relayed as it comes (RFC 9112 §9.3)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.socket.once("data", () => {
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n");
      });
      connection.onRequest(() => connection.write("4\r\nlate\r\n0\r\n\r\n"));
    });
    const client = await proxy.client();
    client.write(request("POST /", ["Content-Length: 10"], "hello"));
    await until("the early part", () => client.received().includes("early"));
    client.write("world");
    expect((await client.response()).body.toString()).toBe("earlylate");
    expect(proxy.seen().body.toString()).toBe("helloworld");
    await proxy.expectOutcomes({ ok: 1 });
  });
  duty("a chunked upload and a chunked answer pass each other whole", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(({ body }) => {
        const size = body.length.toString(16);
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        connection.write(Buffer.concat([Buffer.from(`${size}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")]));
      });
    });
    const part = "x".repeat(70_000);
    const answer = await proxy.answerTo(chunked("POST /", [part, part, part]));
    expect(answer.body.toString()).toBe(part + part + part);
  });
}

duties("where a response ends", (duty) => {
  badGateways(duty);
  ends(duty);
  canonical(duty);
  early(duty);
});
