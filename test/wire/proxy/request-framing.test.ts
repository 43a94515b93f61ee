/** Where a request ends: what the listener refuses, and how it is framed towards the upstream. */
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { turn, until } from "../../support/until.ts";
import { chunked, type Duty, duties, get, type Lab, ok, post, request } from "./lab.ts";

/** The proxy refuses with the status, says so, closes, and the upstream sees nothing of it. */
async function refused(lab: Lab, bytes: string, status: number | readonly number[]): Promise<void> {
  const proxy = await lab.start(answering(ok()));
  const client = await proxy.client();
  client.write(bytes);
  const answer = await client.response();
  expect([status].flat()).toContain(answer.status);
  expect(valuesOf(answer.fields, "connection")).toEqual(["close"]);
  expect(valuesOf(answer.fields, "content-type")).toEqual(["application/problem+json"]);
  expect(await client.closed()).toBe("fin");
  expect(client.unread()).toHaveLength(0);
  expect(proxy.raw.requests()).toEqual([]);
  for (const connection of proxy.raw.connections) expect(connection.unread()).toHaveLength(0);
  await proxy.expectOutcomes({ rejected: 1 });
}

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n";

function refusals(duty: Duty): void {
  duty("Content-Length with Transfer-Encoding → 400 and close (RFC 9112 §6.3)", (lab) =>
    refused(
      lab,
      request("POST /", ["Content-Length: 5", "Transfer-Encoding: chunked"], `0\r\n\r\n${smuggled}`),
      400,
    ),
  );
  duty("Transfer-Encoding with Content-Length → 400 and close (RFC 9112 §6.3)", (lab) =>
    refused(
      lab,
      request("POST /", ["Transfer-Encoding: chunked", "Content-Length: 5"], `0\r\n\r\n${smuggled}`),
      400,
    ),
  );
  duty("two Content-Lengths that differ → 400 and close (RFC 9112 §6.3)", (lab) =>
    refused(lab, request("POST /", ["Content-Length: 5", "Content-Length: 6"], "hello!"), 400),
  );
  duty("two Content-Lengths that agree → 400 and close (RFC 9110 §8.6)", (lab) =>
    refused(lab, request("POST /", ["Content-Length: 5", "Content-Length: 5"], "hello"), 400),
  );
  for (const length of [
    ...["+5", "-5", "5, 5", "5,6", "5;", "0x5", "5 5", "", " ", "1e1", "5.0", "\u00b2"],
    ...["99999999999999999999", "18446744073709551621", "9007199254740993"],
  ]) {
    duty(`Content-Length: ${JSON.stringify(length)} → 400 and close (RFC 9110 §8.6)`, (lab) =>
      refused(lab, request("POST /", [`Content-Length: ${length}`], "hello"), 400),
    );
  }
  for (const coding of [
    ...["gzip, chunked", "chunked, chunked", "chunked, gzip", "gzip", "identity", "chunked;q=1", "xchunked"],
    ...["chunked, identity", "", '"chunked"', "chunked\u000b", "chunk\u00e9d", ", chunked", "chunked,"],
  ]) {
    duty(`Transfer-Encoding: ${JSON.stringify(coding)} → 501 or 400 and close (RFC 9112 §6.1)`, (lab) =>
      refused(lab, request("POST /", [`Transfer-Encoding: ${coding}`], `0\r\n\r\n${smuggled}`), [400, 501]),
    );
  }
  duty("two Transfer-Encodings → 400 or 501 and close (RFC 9112 §6.1)", (lab) =>
    refused(
      lab,
      request(
        "POST /",
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        `0\r\n\r\n${smuggled}`,
      ),
      [400, 501],
    ),
  );
  duty("Transfer-Encoding in HTTP/1.0 → 400 and close (RFC 9112 §6.1)", (lab) =>
    refused(
      lab,
      "POST / HTTP/1.0\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      [400, 501],
    ),
  );

  const malformed: Readonly<Record<string, string>> = {
    "bare LF after the request line (RFC 9112 §2.2)": "GET / HTTP/1.1\nHost: shop.example\r\n\r\n",
    "bare LF between fields (RFC 9112 §2.2)": "GET / HTTP/1.1\r\nHost: shop.example\nX-A: b\r\n\r\n",
    "bare LF at the end of the head (RFC 9112 §2.2)": "GET / HTTP/1.1\r\nHost: shop.example\n\n",
    "bare CR in a field (RFC 9112 §2.2)": "GET / HTTP/1.1\r\nHost: shop.example\r\nX-A: b\rc\r\n\r\n",
    "bare CR between fields (RFC 9112 §2.2)": "GET / HTTP/1.1\r\nHost: shop.example\rX-A: b\r\n\r\n",
    "an obs-fold with a space (RFC 9112 §5.2)": get("/", ["X-A: b", " c"]),
    "an obs-fold with a tab (RFC 9112 §5.2)": get("/", ["X-A: b", "\tc"]),
    "an obs-fold of Transfer-Encoding (RFC 9112 §5.2)": request(
      "POST /",
      ["Transfer-Encoding:", " chunked"],
      `0\r\n\r\n${smuggled}`,
    ),
    "whitespace before the first field (RFC 9112 §2.2)":
      "GET / HTTP/1.1\r\n X-A: b\r\nHost: shop.example\r\n\r\n",
    "a space before the colon (RFC 9112 §5.1)": get("/", ["X-A : b"]),
    "a tab before the colon (RFC 9112 §5.1)": get("/", ["X-A\t: b"]),
    "a space before Content-Length's colon (RFC 9112 §5.1)": request(
      "POST /",
      ["Content-Length : 5"],
      "hello",
    ),
    "a field without a name (RFC 9110 §5.1)": get("/", [": b"]),
    "a field without a colon (RFC 9112 §5)": get("/", ["X-A"]),
    "a control character in a name (RFC 9110 §5.1)": get("/", ["X-\u0001A: b"]),
    "obs-text in a name (RFC 9110 §5.1)": get("/", ["X-\u00e9: b"]),
    "a bracket in a name (RFC 9110 §5.1)": get("/", ["X[A]: b"]),
    "NUL in a value (RFC 9110 §5.5)": get("/", ["X-A: b\u0000c"]),
    "a control character in a value (RFC 9110 §5.5)": get("/", ["X-A: b\u0007c"]),
    "DEL in a value (RFC 9110 §5.5)": get("/", ["X-A: b\u007fc"]),
    "no version (RFC 9112 §2.3)": "GET /\r\n\r\n",
    "HTTP/2.0 in the request line (RFC 9112 §2.3)": "GET / HTTP/2.0\r\nHost: shop.example\r\n\r\n",
    "HTTP/1.2 in the request line (RFC 9112 §2.3)": "GET / HTTP/1.2\r\nHost: shop.example\r\n\r\n",
    "HTTP/0.9 in the request line (RFC 9112 §2.3)": "GET / HTTP/0.9\r\nHost: shop.example\r\n\r\n",
    "http/1.1 in lower case (RFC 9112 §2.3)": "GET / http/1.1\r\nHost: shop.example\r\n\r\n",
    "the preface of HTTP/2 in clear text (RFC 9113 §3.3)": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method with a character that is no token's (RFC 9110 §9.1)": request("GE(T /"),
    "a space in the target (RFC 9112 §3.2)": request("GET /a b"),
    "a space before the line's end (RFC 9112 §3)": "GET / HTTP/1.1 \r\nHost: shop.example\r\n\r\n",
    "a TLS handshake": "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n",
  };
  for (const [name, bytes] of Object.entries(malformed)) {
    duty(`${name} → 400 and close`, (lab) => refused(lab, bytes, 400));
  }
}

/** The head is sound, so the upstream may see it; what it must never see is a whole request. */
function brokenChunks(duty: Duty): void {
  const broken: Readonly<Record<string, string>> = {
    "that is no number": "zz\r\nhello\r\n0\r\n\r\n",
    "that is negative": "-5\r\nhello\r\n0\r\n\r\n",
    "with a prefix 0x": "0x5\r\nhello\r\n0\r\n\r\n",
    "that is empty": "\r\nhello\r\n0\r\n\r\n",
    "beyond 64 bits": "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "ended by a bare LF": "5\nhello\r\n0\r\n\r\n",
    "whose data is longer": "4\r\nhello\r\n0\r\n\r\n",
    "whose data ends with a bare LF": "5\r\nhello\n0\r\n\r\n",
    "with a bare LF in an extension": "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "with a bare CR in an extension": "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "with a leading space": " 5\r\nhello\r\n0\r\n\r\n",
    "of the last chunk, ended by a bare LF": "5\r\nhello\r\n0\n\r\n",
    "of the last chunk, then a bare LF": "5\r\nhello\r\n0\r\n\n",
  };
  for (const [what, body] of Object.entries(broken)) {
    duty(`a chunk size ${what}: the upstream never sees a whole request (RFC 9112 §7.1)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const client = await proxy.client();
      client.write(request("POST /", ["Transfer-Encoding: chunked"], body + smuggled));
      await client.closed();
      expect(proxy.raw.requests()).toEqual([]);
      expect(client.received().toString()).toMatch(/^HTTP\/1\.1 400 /);
      // A connection that nothing was sent on may be kept: node:http does so from Node 24 on.
      const begun = () => proxy.raw.connections.filter((one) => one.received().length > 0);
      const open = () => begun().filter((one) => one.closedBy() === "open");
      await until("the end of the upstream's connection", () => open().length === 0, 100);
      await proxy.expectOutcomes({ rejected: 1 });
    });
  }
}

function canonical(duty: Duty): void {
  for (const method of ["GET", "DELETE", "OPTIONS", "HEAD", "POST", "PUT", "PATCH", "PURGE"]) {
    duty(`a chunked ${method} stays framed (RFC 9112 §6.3)`, async (lab) => {
      const proxy = await lab.start(answering(ok(method === "HEAD" ? "" : "ok")));
      await proxy.answerTo(chunked(`${method} /`, ["hello ", smuggled]), method);
      const seen = proxy.seen();
      expect(seen.line).toBe(`${method} / HTTP/1.1`);
      expect(seen.framing).toBe("chunked");
      expect(seen.body.toString()).toBe(`hello ${smuggled}`);
    });
    duty(`a sized ${method} stays framed (RFC 9112 §6.3)`, async (lab) => {
      const proxy = await lab.start(answering(ok(method === "HEAD" ? "" : "ok")));
      await proxy.answerTo(request(`${method} /`, [`Content-Length: ${smuggled.length}`], smuggled), method);
      const seen = proxy.seen();
      expect(valuesOf(seen.fields, "content-length")).toEqual([`${smuggled.length}`]);
      expect(seen.body.toString()).toBe(smuggled);
    });
  }

  for (const [length, sent] of [
    ["5\t", "5"],
    ["5 ", "5"],
    ["\t 5", "5"],
    ["0005", "5"],
    ["00", "0"],
  ] as const) {
    duty(
      `Content-Length: ${JSON.stringify(length)} goes on as ${sent}, or not at all (RFC 9110 §8.6)`,
      async (lab) => {
        const proxy = await lab.start(answering(ok()));
        const answer = await proxy.answerTo(
          request("POST /", [`Content-Length: ${length}`], "hello".slice(0, Number(sent))),
        );
        if (answer.status === 400) expect(proxy.raw.requests()).toEqual([]);
        else expect(valuesOf(proxy.seen().fields, "content-length")).toEqual([sent]);
      },
    );
  }

  for (const [what, body] of [
    ["extensions", "5;a=b\r\nhello\r\n0;last\r\n\r\n"],
    ["a quoted extension", '5;a="b;c"\r\nhello\r\n0\r\n\r\n'],
    ["an empty extension", "5;\r\nhello\r\n0;\r\n\r\n"],
    ["leading zeros", "0005\r\nhello\r\n000\r\n\r\n"],
    ["a space after the size", "5 \r\nhello\r\n0\r\n\r\n"],
    ["a tab after the size", "5\t\r\nhello\r\n0\r\n\r\n"],
  ] as const) {
    duty(`a chunk size's ${what} never go on (RFC 9112 §7.1.1)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const client = await proxy.client();
      client.write(request("POST /", ["Transfer-Encoding: chunked"], body));
      const answer = await client.response();
      if (answer.status === 200) {
        const sent = proxy.raw.connections[0]?.received().toString("latin1") ?? "";
        expect(sent.slice(sent.indexOf("\r\n\r\n") + 4)).toBe("5\r\nhello\r\n0\r\n\r\n");
      } else {
        expect(answer.status).toBe(400);
        expect(proxy.raw.requests()).toEqual([]);
      }
    });
  }

  duty("Transfer-Encoding: CHUNKED is chunked, and goes on as chunked (RFC 9112 §7)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(request("POST /", ["transfer-ENCODING:  CHUNKED "], "5\r\nhello\r\n0\r\n\r\n"));
    const seen = proxy.seen();
    expect(valuesOf(seen.fields, "transfer-encoding")).toEqual(["chunked"]);
    expect(seen.body.toString()).toBe("hello");
  });

  duty("a body split at every octet arrives whole (RFC 9112 §6)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const client = await proxy.client();
    await client.writeParts([...chunked("POST /split", ["hel", "lo"], ["X-A: b"])]);
    expect((await client.response()).status).toBe(200);
    expect(proxy.seen().body.toString()).toBe("hello");
  });

  duty("two spaces after the method go on as one, or not at all (RFC 9112 §3)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const answer = await proxy.answerTo(request("GET  /a"));
    if (answer.status === 400) expect(proxy.raw.requests()).toEqual([]);
    else expect(proxy.seen().line).toBe("GET /a HTTP/1.1");
  });

  duty("leading empty lines are skipped (RFC 9112 §2.2)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    expect((await proxy.answerTo(`\r\n\r\n${get()}`)).status).toBe(200);
    proxy.seen();
  });

  duty(
    "a body shorter than declared: the upstream never sees a whole request (RFC 9112 §6.3)",
    async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const client = await proxy.client();
      client.write(request("POST /", ["Content-Length: 10"], "hello"));
      client.end();
      await client.closed();
      expect(proxy.raw.requests()).toEqual([]);
      await proxy.expectOutcomes({ client_aborted: 1 });
    },
  );

  duty("pipelined requests are answered in order (RFC 9112 §9.3.2)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(({ line }) => {
        const target = line.split(" ")[1] ?? "";
        // The first of all answers last.
        setTimeout(() => connection.write(ok(target)), target === "/0" ? 60 : 0);
      });
    });
    const client = await proxy.client();
    client.write([0, 1, 2, 3, 4].map((i) => (i % 2 ? post("x", [], `/${i}`) : get(`/${i}`))).join(""));
    for (let i = 0; i < 5; i++) expect((await client.response()).body.toString()).toBe(`/${i}`);
    await proxy.expectOutcomes({ ok: 5 });
  });

  duty("a request pipelined behind a refused one is never read (RFC 9112 §9.3)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const client = await proxy.client();
    client.write(request("POST /", ["Content-Length: 5", "Content-Length: 6"], `hello${smuggled}`));
    expect((await client.response()).status).toBe(400);
    expect(await client.closed()).toBe("fin");
    expect(proxy.raw.requests()).toEqual([]);
  });

  duty(
    "a malformed request pipelined behind a slow one is refused after it (RFC 9112 §9.3.2)",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(() => setTimeout(() => connection.write(ok("slow")), 50));
      });
      const client = await proxy.client();
      client.write(`${get()}BAD\r\n\r\n`);
      expect((await client.response()).body.toString()).toBe("slow");
      expect((await client.response()).status).toBe(400);
      expect(await client.closed()).toBe("fin");
      await proxy.expectOutcomes({ ok: 1, rejected: 1 });
    },
  );

  duty(
    "a malformed body pipelined behind a slow request takes no answer with it (RFC 9112 §9.3.2)",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(() => setTimeout(() => connection.write(ok("slow")), 50));
      });
      const client = await proxy.client();
      client.write(get() + request("POST /", ["Transfer-Encoding: chunked"], "5\r\nhello\r\nzz\r\n"));
      expect((await client.response()).body.toString()).toBe("slow");
      expect((await client.response()).status).toBe(400);
      expect(proxy.seen().line).toBe("GET / HTTP/1.1");
      await proxy.expectOutcomes({ ok: 1, rejected: 1 });
    },
  );

  duty("what comes behind a malformed request leaves no listener behind", async (lab) => {
    const warnings: string[] = [];
    const warned = (warning: Error) => warnings.push(warning.message);
    process.on("warning", warned);
    try {
      const proxy = await lab.start(() => {});
      const client = await proxy.client();
      client.write(get());
      await until("the request", () => proxy.raw.requests().length === 1);
      await client.writeParts(Array.from({ length: 30 }, () => "BAD\r\n\r\n"));
      proxy.raw.connections[0]?.write(ok("slow"));
      expect((await client.response()).body.toString()).toBe("slow");
      expect((await client.response()).status).toBe(400);
      expect(warnings).toEqual([]);
    } finally {
      process.off("warning", warned);
    }
  });

  for (const [what, fields, version] of [
    ["Connection: close", ["Connection: close"], "1.1"],
    ["a request in HTTP/1.0", [], "1.0"],
  ] as const) {
    duty(`nothing is read behind ${what} (RFC 9112 §9.6)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const client = await proxy.client();
      client.write(get("/first", fields).replace("HTTP/1.1", `HTTP/${version}`) + get("/second"));
      expect((await client.response()).status).toBe(200);
      await client.closed();
      expect(client.unread()).toHaveLength(0);
      await turn();
      expect(proxy.seen().line).toBe("GET /first HTTP/1.1");
      await proxy.expectOutcomes({ ok: 1 });
    });
  }

  duty(
    "a pipelined request reaches the upstream after the answer before it is out (RFC 9112 §9.3.2)",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(({ line }) => {
          if (line.startsWith("GET")) connection.write(ok());
        });
      });
      const client = await proxy.client();
      client.write(post("pay", [], "/slow") + get("/after"));
      await until("the first request", () => proxy.raw.requests().length > 0);
      for (let i = 0; i < 20; i++) await turn();
      expect(proxy.seen().line).toBe("POST /slow HTTP/1.1");
      proxy.raw.connections[0]?.write(ok());
      await client.response();
      await client.response();
      expect(proxy.raw.requests().map(({ line }) => line)).toEqual([
        "POST /slow HTTP/1.1",
        "GET /after HTTP/1.1",
      ]);
    },
  );

  duty("a client that leaves takes its pipelined requests with it", async (lab) => {
    const proxy = await lab.start(() => {});
    const client = await proxy.client();
    client.write(get("/1") + get("/2") + get("/3"));
    await until("the first request", () => proxy.raw.requests().length > 0);
    client.reset();
    await until("the end of the upstream's connection", () => proxy.openUpstream() === 0, 1000);
    expect(proxy.seen().line).toBe("GET /1 HTTP/1.1");
    await proxy.expectOutcomes({ client_aborted: 1 });
  });

  duty("a refused client that never closes is closed upon", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const client = await proxy.client();
    client.write("BAD\r\n\r\n");
    expect((await client.response()).status).toBe(400);
    expect(await client.closed()).toBe("fin");
    // What it still sends is read for a while, so that it can read the refusal, then cut.
    await until("the cut", () => {
      client.write("x");
      return client.closedBy() === "reset" || client.socket.destroyed;
    });
    await proxy.expectOutcomes({ rejected: 1 });
  });
}

duties("where a request ends", (duty) => {
  refusals(duty);
  brokenChunks(duty);
  canonical(duty);
});
