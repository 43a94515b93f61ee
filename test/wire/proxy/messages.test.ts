/** What is in a message, and that it arrives as it was sent, and when. */
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { turn, until } from "../../support/until.ts";
import { type Duty, duties, get, ok, post, request } from "./lab.ts";

function fields(duty: Duty): void {
  duty("Date is added where the upstream gives none (RFC 9110 §6.6.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const [date, ...more] = valuesOf((await proxy.answerTo(get())).fields, "date");
    expect(more).toEqual([]);
    expect(Math.abs(Date.parse(date ?? "") - Date.now())).toBeLessThan(10_000);
  });
  duty("the upstream's Date is kept, and alone (RFC 9110 §6.6.1)", async (lab) => {
    const given = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (const name of ["Date", "date", "DATE"]) {
      const proxy = await lab.start(answering(ok("ok", [`${name}: ${given}`])));
      expect(valuesOf((await proxy.answerTo(get())).fields, "date")).toEqual([given]);
    }
  });
  duty("the proxy's own answers carry a Date (RFC 9110 §6.6.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    for (const bytes of ["BAD\r\n\r\n", get("/cart/../b")]) {
      const answer = await proxy.answerTo(bytes);
      expect(answer.status).toBe(400);
      expect(valuesOf(answer.fields, "date")).toHaveLength(1);
    }
  });

  duty("Set-Cookie is never merged (RFC 6265 §3)", async (lab) => {
    const cookies = ["a=1; Expires=Wed, 09 Jun 2021 10:18:14 GMT", "b=2, x", "a=1", 'c="q"; Path=/'];
    const proxy = await lab.start(
      answering(
        ok(
          "ok",
          cookies.map((cookie, i) => `${i % 2 ? "set-cookie" : "Set-Cookie"}: ${cookie}`),
        ),
      ),
    );
    expect(valuesOf((await proxy.answerTo(get())).fields, "set-cookie")).toEqual(cookies);
  });
  duty("WWW-Authenticate is never merged (RFC 9110 §11.6.1)", async (lab) => {
    const challenges = ['Basic realm="a, b"', "Digest x=y", "Negotiate"];
    const proxy = await lab.start(
      answering(
        ok(
          "ok",
          challenges.map((one) => `WWW-Authenticate: ${one}`),
        ),
      ),
    );
    expect(valuesOf((await proxy.answerTo(get())).fields, "www-authenticate")).toEqual(challenges);
  });
  duty(
    "repeated fields of a response stay apart, in their order and spelling (RFC 9110 §5.3)",
    async (lab) => {
      const sent = ["X-A: 1", "x-b: 2", "X-a: 3", "X-Empty: ", "X-B: 4"];
      const proxy = await lab.start(answering(ok("ok", sent)));
      const { fields: received } = await proxy.answerTo(get());
      const pairs = received.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${received[i + 1]}`] : []));
      expect(pairs.filter((pair) => /^x-/i.test(pair))).toEqual(sent);
    },
  );
  duty(
    "repeated fields of a request stay apart, in their order and spelling (RFC 9110 §5.3)",
    async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const sent = ["X-A: 1", "x-b: 2", "X-a: 3", "X-Empty: ", "Cookie: a=1", "cookie: b=2", "X-B: 4"];
      await proxy.answerTo(get("/", sent));
      const { fields: seen } = proxy.seen();
      const pairs = seen.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${seen[i + 1]}`] : []));
      expect(pairs.filter((pair) => /^(?:x-(?:a|b|empty)|cookie):/i.test(pair))).toEqual(sent);
    },
    async (lab) => {
      const proxy = await lab.start(answering(ok()));
      await proxy.answerTo(get("/", ["X-A: 1", "x-b: 2", "X-a: 3", "X-B: 4"]));
      const { fields: seen } = proxy.seen();
      const pairs = seen.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${seen[i + 1]}`] : []));
      // Next to each other, under the first one's name; apart and in order among themselves all the same.
      expect(pairs.filter((pair) => /^x-[ab]:/i.test(pair))).toEqual([
        "X-A: 1",
        "X-A: 3",
        "x-b: 2",
        "x-b: 4",
      ]);
    },
  );

  const latin = "caf\u00e9 \u00c3\u00a9 \u0080\u00a0\u00ff";
  duty("spaces around a value are none of it, both ways (RFC 9112 §5.1)", async (lab) => {
    const proxy = await lab.start(answering(ok("ok", ["X-A:  1 2 \t", "X-Empty: \t "])));
    const { fields: received } = await proxy.answerTo(get("/", ["X-B: \t1 2 \t", "X-None:  \t"]));
    expect([valuesOf(received, "x-a"), valuesOf(received, "x-empty")]).toEqual([["1 2"], [""]]);
    const sent = proxy.raw.requests()[0]?.fields ?? [];
    expect([valuesOf(sent, "x-b"), valuesOf(sent, "x-none")]).toEqual([["1 2"], [""]]);
  });
  duty("obs-text in a request's value goes on octet for octet (RFC 9110 §5.5)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(get("/", [`X-Latin: ${latin}`]));
    await proxy.answerTo(post("caf\u00e9", [`X-Latin: ${latin}`]));
    for (const seen of proxy.raw.requests()) expect(valuesOf(seen.fields, "x-latin")).toEqual([latin]);
    expect(proxy.raw.requests()[1]?.body.toString("latin1")).toBe("caf\u00e9");
  });
  duty("obs-text in a response's value goes on octet for octet (RFC 9110 §5.5)", async (lab) => {
    const head = `X-Latin: ${latin}`;
    const proxy = await lab.start(answering(ok("ok", [head]), ok("", [head])));
    const answer = await proxy.answerTo(get());
    expect(valuesOf(answer.fields, "x-latin")).toEqual([latin]);
    expect(answer.body.toString()).toBe("ok");
    expect(valuesOf((await proxy.answerTo(get())).fields, "x-latin")).toEqual([latin]);
  });
  duty("UTF-8 in values goes on octet for octet both ways (RFC 9110 §5.5)", async (lab) => {
    const utf8 = Buffer.from("Grüße, 世界").toString("latin1");
    const proxy = await lab.start(answering(ok("ok", [`X-U: ${utf8}`])));
    const answer = await proxy.answerTo(get("/", [`X-U: ${utf8}`]));
    expect(valuesOf(proxy.seen().fields, "x-u")).toEqual([utf8]);
    expect(valuesOf(answer.fields, "x-u")).toEqual([utf8]);
  });
  duty("odd but sound field names go on as they are (RFC 9110 §5.1)", async (lab) => {
    const odd = ["X_Under: 1", "x.dot: 2", "!#$%&'*+-.^_`|~: 3", "0: 4", "__proto__: 5", "constructor: 6"];
    const proxy = await lab.start(answering(ok("ok", odd)));
    const answer = await proxy.answerTo(get("/", odd));
    for (const one of odd) {
      const [name = "", value] = one.split(": ");
      expect(valuesOf(proxy.seen().fields, name.toLowerCase())).toEqual([value]);
      expect(valuesOf(answer.fields, name.toLowerCase())).toEqual([value]);
    }
  });
  duty("a status and reason nobody registered go on (RFC 9110 §15)", async (lab) => {
    const proxy = await lab.start(answering("HTTP/1.1 299 Quite Fine\r\nContent-Length: 0\r\n\r\n"));
    expect((await proxy.answerTo(get())).line).toBe("HTTP/1.1 299 Quite Fine");
  });
  // Node writes a head without content as UTF-8.
  for (const framing of ["Content-Length: 2", "Transfer-Encoding: chunked", "X-Framed: by its close"]) {
    duty(`obs-text in a head before its content goes on octet for octet, with ${framing}`, async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(() => {
          connection.write(`HTTP/1.1 200 D\u00e9j\u00e0 vu\r\nX-Latin: ${latin}\r\n${framing}\r\n\r\n`);
        });
      });
      const client = await proxy.client();
      client.write(get());
      while (!client.received().includes("\r\n\r\n")) await client.changed(1000);
      const [upstream] = proxy.raw.connections;
      upstream?.write(framing.startsWith("T") ? "2\r\nok\r\n0\r\n\r\n" : "ok");
      upstream?.socket.end();
      const { reason, fields, body } = await client.response();
      expect([reason, valuesOf(fields, "x-latin"), String(body)]).toEqual([
        "D\u00e9j\u00e0 vu",
        [latin],
        "ok",
      ]);
    });
  }
  duty("an obs-text reason goes on octet for octet (RFC 9112 §4)", async (lab) => {
    const proxy = await lab.start(answering("HTTP/1.1 200 D\u00e9j\u00e0 vu\r\nContent-Length: 0\r\n\r\n"));
    expect((await proxy.answerTo(get())).reason).toBe("D\u00e9j\u00e0 vu");
  });
}

function untouched(duty: Duty): void {
  duty("Range, conditions and Accept-Encoding go on untouched (RFC 9110 §14)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const sent = [
      ...[
        "Range: bytes=0-4, 7-",
        'If-Range: W/"a"',
        'If-None-Match: "a", W/"b"',
        "Accept-Encoding: br;q=1, *;q=0",
      ],
      ...["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "Accept: */*", "Cache-Control: no-cache"],
    ];
    await proxy.answerTo(get("/", sent));
    for (const one of sent) {
      const at = one.indexOf(": ");
      expect(valuesOf(proxy.seen().fields, one.slice(0, at).toLowerCase())).toEqual([one.slice(at + 2)]);
    }
  });
  duty("206, ETag and Content-Encoding go on untouched, octet for octet (RFC 9110 §15.3.7)", async (lab) => {
    const content = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const head =
      'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-255/1000\r\nETag: W/"x,y"\r\nContent-Encoding: gzip\r\n' +
      "Accept-Ranges: bytes\r\nVary: Accept-Encoding\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 256\r\n\r\n";
    const proxy = await lab.start(answering(Buffer.concat([Buffer.from(head), content])));
    const answer = await proxy.answerTo(get());
    expect(answer.line).toBe("HTTP/1.1 206 Partial Content");
    expect(answer.body.equals(content)).toBe(true);
    expect(valuesOf(answer.fields, "content-range")).toEqual(["bytes 0-255/1000"]);
    expect(valuesOf(answer.fields, "etag")).toEqual(['W/"x,y"']);
    expect(valuesOf(answer.fields, "content-encoding")).toEqual(["gzip"]);
  });
  duty("304 goes on with its ETag and without content (RFC 9110 §15.4.5)", async (lab) => {
    const proxy = await lab.start(answering('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'));
    const answer = await proxy.answerTo(get("/", ['If-None-Match: "a"']));
    expect(answer.status).toBe(304);
    expect(valuesOf(answer.fields, "etag")).toEqual(['"a"']);
  });
}

function interim(duty: Duty): void {
  duty("Expect: 100-continue is answered, and the body follows (RFC 9110 §10.1.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const client = await proxy.client();
    client.write(request("POST /", ["Expect: 100-continue", "Content-Length: 5"]));
    await until("100", () => client.received().toString() === "HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello");
    const answer = await client.response();
    expect(answer.interims.map(({ status }) => status)).toEqual([100]);
    expect(answer.status).toBe(200);
    expect(proxy.seen().body.toString()).toBe("hello");
    expect(valuesOf(proxy.seen().fields, "expect")).toEqual([]);
  });
  duty("a client that does not wait for 100 is served all the same (RFC 9110 §10.1.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const answer = await proxy.answerTo(
      request("POST /", ["Expect: 100-Continue", "Content-Length: 5"], "hello"),
    );
    expect(answer.status).toBe(200);
    expect(proxy.seen().body.toString()).toBe("hello");
  });
  duty("no blind 100: a request refused here is refused without one (RFC 9110 §10.1.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const answer = await proxy.answerTo(
      request("POST /cart/../b", ["Expect: 100-continue", "Content-Length: 5"]),
    );
    expect(answer.interims).toEqual([]);
    expect(answer.status).toBe(400);
  });
  duty("no blind 100: an upstream out of reach is told without one (RFC 9110 §10.1.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()), { url: "http://127.0.0.1:1" });
    const answer = await proxy.answerTo(request("POST /", ["Expect: 100-continue", "Content-Length: 5"]));
    expect(answer.interims).toEqual([]);
    expect(answer.status).toBe(502);
    await proxy.expectOutcomes({ connect_failed: 1 });
  });
  duty(
    "a refusal instead of a body is relayed, and the connection does not go out of step (RFC 9110 §10.1.1)",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        let answered = false;
        connection.socket.on("data", () => {
          if (answered || !connection.received().includes("POST")) return;
          answered = true;
          connection.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
        });
        connection.onRequest(({ line }) => {
          if (line.startsWith("GET")) connection.write(ok("next"));
        });
      });
      const client = await proxy.client();
      client.write(request("POST /", ["Expect: 100-continue", "Content-Length: 5"]));
      await until("something", () => client.received().length > 0);
      if (client.received().toString().startsWith("HTTP/1.1 100")) client.write("hello");
      const answer = await client.response();
      expect(answer.status).toBe(401);
      // It either says that the connection ends, or serves the next request in order.
      if (valuesOf(answer.fields, "connection").includes("close")) await client.closed();
      else {
        client.write(answer.interims.length > 0 ? get() : `hello${get()}`);
        expect((await client.response()).body.toString()).toBe("next");
      }
    },
  );
  duty("another expectation → 417 (RFC 9110 §10.1.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const answer = await proxy.answerTo(post("hello", ["Expect: 200-ok"]));
    expect(answer.status).toBe(417);
    await proxy.expectOutcomes({ rejected: 1 });
  });
  duty(
    "an expectation pipelined behind a slow request does not answer in its place (RFC 9112 §9.3.2)",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(() => setTimeout(() => connection.write(ok("slow")), 50));
      });
      const client = await proxy.client();
      client.write(get() + post("hello", ["Expect: 200-ok"]));
      expect((await client.response()).body.toString()).toBe("slow");
      expect((await client.response()).status).toBe(417);
    },
  );

  duty("103 is forwarded before the answer (RFC 8297 §2)", async (lab) => {
    const early =
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-a\r\nX-A: 1\r\n\r\n";
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => {
        connection.write(early);
      });
    });
    const client = await proxy.client();
    client.write(get());
    await until("the hints", () => client.received().includes("\r\n\r\n"));
    proxy.raw.connections[0]?.write(early + ok());
    const answer = await client.response();
    expect(answer.interims.map(({ status }) => status)).toEqual([103, 103]);
    expect(valuesOf(answer.interims[0]?.fields ?? [], "link")).toEqual(["</a.css>; rel=preload"]);
    expect(valuesOf(answer.interims[0]?.fields ?? [], "x-a")).toEqual([]);
    expect(answer.body.toString()).toBe("ok");
  });
  duty("102 is forwarded before the answer (RFC 9110 §15.2)", async (lab) => {
    const proxy = await lab.start(answering(`HTTP/1.1 102 Processing\r\n\r\n${ok()}`));
    expect((await proxy.answerTo(get())).interims.map(({ status }) => status)).toEqual([102]);
  });
  duty(
    "a 100 of the upstream's own never reaches a client that did not ask (RFC 9110 §15.2.1)",
    async (lab) => {
      const proxy = await lab.start(answering(`HTTP/1.1 100 Continue\r\n\r\n${ok()}`));
      const answer = await proxy.answerTo(post("hello"));
      expect(answer.interims).toEqual([]);
      expect(answer.body.toString()).toBe("ok");
    },
  );
}

function trailers(duty: Duty): void {
  const withTrailers = (lines: readonly string[]) =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
  duty("a response's trailers are passed (RFC 9110 §6.5)", async (lab) => {
    const proxy = await lab.start(
      answering(withTrailers(["X-Sum: caf\u00e9", "x-sum: 2", "Server-Timing: a"])),
    );
    const answer = await proxy.answerTo(get("/", ["TE: trailers", "Connection: TE"]));
    expect(answer.trailers).toEqual(["X-Sum", "caf\u00e9", "x-sum", "2", "Server-Timing", "a"]);
  });
  duty("trailers that would frame, route or authenticate are not passed (RFC 9110 §6.5.1)", async (lab) => {
    const forbidden = [
      ...["Host: evil.example", "Connection: x", "Keep-Alive: a"],
      ...[
        "Set-Cookie: a=1",
        "Authorization: x",
        "WWW-Authenticate: Basic",
        "Proxy-Authenticate: Basic",
        "Via: 1.1 x",
      ],
      ...[
        "Content-Encoding: gzip",
        "Content-Type: text/html",
        "Content-Range: bytes 0-1/2",
        "Trailer: x",
        "TE: x",
      ],
      ...[
        "Cache-Control: max-age=1",
        "Location: /x",
        "Upgrade: h2c",
        "Age: 1",
        "Date: x",
        "Vary: x",
        "Expires: x",
      ],
    ];
    const proxy = await lab.start(answering(withTrailers([...forbidden, "X-Sum: 1"])));
    expect((await proxy.answerTo(get())).trailers).toEqual(["X-Sum", "1"]);
  });
  for (const framing of ["Content-Length: 5", "Transfer-Encoding: chunked"]) {
    duty(`${framing} among a response's trailers never goes on (RFC 9110 §6.5.1)`, async (lab) => {
      const proxy = await lab.start(answering(withTrailers([framing]), ok("next")));
      const client = await proxy.client();
      client.write(get());
      await client.response().catch(() => undefined);
      const received = client.received().toString();
      expect(received.slice(received.indexOf("\r\n\r\n"))).not.toContain(framing);
      expect((await proxy.answerTo(get())).body.toString()).toBe("next");
    });
    duty(`${framing} among a request's trailers never goes on (RFC 9110 §6.5.1)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const body = `5\r\nhello\r\n0\r\n${framing}\r\n\r\n`;
      const answer = await proxy.answerTo(request("POST /", ["Transfer-Encoding: chunked"], body));
      if (answer.status === 200) expect(proxy.seen().trailers).toEqual([]);
      else {
        expect(answer.status).toBe(400);
        expect(proxy.raw.requests()).toEqual([]);
      }
    });
  }
  duty("trailers are dropped where the answer has no chunks (RFC 9110 §6.5)", async (lab) => {
    const proxy = await lab.start(answering(withTrailers(["X-Sum: 1"])));
    const client = await proxy.client();
    client.write("GET / HTTP/1.0\r\n\r\n");
    expect((await client.response()).body.toString()).toBe("ok");
  });
  duty("a request's trailers never become fields or another request (RFC 9110 §6.5.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const sent = ["X-Sum: 1", "Host: evil.example", "Cookie: sid=1", "X-Shopper-Id: s2"];
    await proxy.answerTo(
      request(
        "POST /",
        ["Transfer-Encoding: chunked", "Trailer: X-Sum"],
        `5\r\nhello\r\n0\r\n${sent.map((line) => `${line}\r\n`).join("")}\r\n`,
      ),
    );
    const seen = proxy.seen();
    expect(seen.body.toString()).toBe("hello");
    expect(valuesOf(seen.fields, "host")).toEqual(["shop.example"]);
    expect(valuesOf(seen.fields, "x-sum")).toEqual([]);
    expect(seen.trailers).toEqual([]);
  });
}

function unbuffered(duty: Duty): void {
  duty("each chunk of a response goes on before the next is there (RFC 9112 §7.1)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    });
    const client = await proxy.client();
    client.write(get());
    await until("the head", () => client.received().includes("\r\n\r\n"), 1000);
    for (let i = 0; i < 5; i++) {
      proxy.raw.connections[0]?.write(`5\r\nevt-${i}\r\n`);
      await until("the event", () => client.received().includes(`evt-${i}`), 1000);
    }
    proxy.raw.connections[0]?.write("0\r\n\r\n");
    expect((await client.response()).body.toString()).toBe("evt-0evt-1evt-2evt-3evt-4");
  });
  duty("server-sent events go on one by one, and end where the client leaves (HTML §9.2)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => {
        connection.write(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
        );
      });
    });
    const client = await proxy.client();
    client.write(get("/events", ["Accept: text/event-stream"]));
    for (let i = 0; i < 3; i++) {
      await until("the connection", () => proxy.raw.requests().length === 1);
      proxy.raw.connections[0]?.write(`data: ${i}\n\n`);
      await until("the event", () => client.received().includes(`data: ${i}\n\n`), 1000);
    }
    client.reset();
    await until("the end of the upstream's connection", () => proxy.openUpstream() === 0, 1000);
    await proxy.expectOutcomes({ client_aborted: 1 });
  });
  duty("each chunk of a request goes on before the next is there (RFC 9112 §7.1)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => connection.write(ok()));
    });
    const client = await proxy.client();
    client.write(request("POST /", ["Transfer-Encoding: chunked"]));
    for (let i = 0; i < 5; i++) {
      client.write(`5\r\npar-${i}\r\n`);
      await until("the part", () => proxy.raw.connections[0]?.received().includes(`par-${i}`) === true, 1000);
    }
    await turn();
    client.write("0\r\n\r\n");
    await client.response();
    expect(proxy.seen().body.toString()).toBe("par-0par-1par-2par-3par-4");
  });
}

duties("what is in a message", (duty) => {
  fields(duty);
  untouched(duty);
  interim(duty);
  trailers(duty);
  unbuffered(duty);
});
