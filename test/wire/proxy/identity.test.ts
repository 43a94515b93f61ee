/** Whom a request is for, who sent it, and which way it came. */
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { type Duty, duties, get, type Lab, ok, request, unused } from "./lab.ts";

async function refusedBy(lab: Lab, bytes: string, status: number): Promise<void> {
  const proxy = await lab.start(answering(ok()));
  const answer = await proxy.answerTo(bytes);
  expect(answer.status).toBe(status);
  expect(valuesOf(answer.fields, "content-type")).toEqual(["application/problem+json"]);
  expect(valuesOf(answer.fields, "proxy-status")).toHaveLength(1);
  expect(proxy.raw.requests()).toEqual([]);
  await proxy.expectOutcomes({ rejected: 1 });
}

function authority(duty: Duty): void {
  const badHosts: Readonly<Record<string, string>> = {
    "no Host": "GET / HTTP/1.1\r\n\r\n",
    "two Hosts that agree": get("/", ["Host: shop.example", "Host: shop.example"]),
    "two Hosts that differ": get("/", ["Host: shop.example", "host: other.example"]),
    "a Host with a space": get("/", ["Host: shop.example evil"]),
    "a Host with a list": get("/", ["Host: shop.example, other.example/"]),
    "a Host with a path": get("/", ["Host: shop.example/x"]),
    "a Host with user information": get("/", ["Host: me@shop.example"]),
    "a Host with a bad port": get("/", ["Host: shop.example:80a"]),
    "a Host with obs-text": get("/", ["Host: shop.ex\u00e4mple"]),
    "an absolute form without Host": "GET http://shop.example/ HTTP/1.1\r\n\r\n",
  };
  for (const [what, bytes] of Object.entries(badHosts)) {
    duty(`${what} → 400 (RFC 9112 §3.2)`, (lab) => refusedBy(lab, bytes, 400));
  }

  for (const host of ["shop.example:8080", "127.0.0.1", "[::1]:80", "SHOP.example", ""]) {
    duty(`Host ${JSON.stringify(host)} goes on as it came (RFC 9110 §7.2)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      await proxy.answerTo(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expect(valuesOf(proxy.seen().fields, "host")).toEqual([host]);
    });
  }

  for (const [host, expected] of [
    ["upstream", "of the upstream"],
    ["shop-eu.example:8443", "shop-eu.example:8443"],
    ["preserve", "shop.example"],
  ] as const) {
    duty(`with host: ${host} an upstream that serves by names is asked for ${expected}`, async (lab) => {
      const proxy = await lab.start(answering(ok()), { upstream: { host } });
      await proxy.answerTo(get("/cart/1", ["Host: shop.example"]));
      const { fields } = proxy.seen();
      const own = new URL(proxy.raw.url).host;
      expect(valuesOf(fields, "host")).toEqual([host === "upstream" ? own : expected]);
      expect(valuesOf(fields, "x-forwarded-host")).toEqual(["shop.example"]);
      expect(valuesOf(fields, "forwarded")).toEqual([expect.stringContaining('host="shop.example"')]);
    });
  }

  duty("HTTP/1.0 may leave Host out (RFC 9112 §3.2)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    expect((await proxy.answerTo("GET / HTTP/1.0\r\n\r\n")).status).toBe(200);
    expect(valuesOf(proxy.seen().fields, "host")).toHaveLength(1);
  });

  for (const [target, line] of [
    ["http://other.example/a?b", "GET /a?b HTTP/1.1"],
    ["http://other.example", "GET / HTTP/1.1"],
    ["http://other.example?b", "GET /?b HTTP/1.1"],
    ["HTTPS://other.example//a", "GET //a HTTP/1.1"],
  ] as const) {
    duty(`the authority of ${target} wins over Host (RFC 9112 §3.2.2)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      await proxy.answerTo(get(target));
      expect(proxy.seen().line).toBe(line);
      expect(valuesOf(proxy.seen().fields, "host")).toEqual(["other.example"]);
      expect(valuesOf(proxy.seen().fields, "x-forwarded-host")).toEqual(["other.example"]);
    });
  }
  for (const target of [
    "http://me@other.example/",
    "ftp://other.example/",
    "http:///a",
    "http://a b/",
    "a/b",
  ]) {
    duty(`the target ${target} → 400 (RFC 9112 §3.2)`, (lab) => refusedBy(lab, get(target), 400));
  }
  duty("an absolute form is routed by its path (RFC 9112 §3.2.2)", async (lab) => {
    const proxy = await lab.start(answering(ok()), unused);
    await proxy.answerTo(get("http://shop.example/cart/1", ["X-Shopper-Id: s1"]));
    const text = await (await fetch(`${proxy.adminUrl}/metrics`)).text();
    expect(text).toMatch(/^cutover_requests_total\{cutover="checkout",route="cart",.*outcome="ok".*\} 1$/m);
  });

  duty("OPTIONS * stays * (RFC 9112 §3.2.4)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(request("OPTIONS *"));
    expect(proxy.seen().line).toBe("OPTIONS * HTTP/1.1");
  });
  duty("OPTIONS of an authority without a path becomes * (RFC 9112 §3.2.4)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(request("OPTIONS http://other.example"));
    expect(proxy.seen().line).toBe("OPTIONS * HTTP/1.1");
    expect(valuesOf(proxy.seen().fields, "host")).toEqual(["other.example"]);
  });
  duty("GET * → 400 (RFC 9112 §3.2.4)", (lab) => refusedBy(lab, get("*"), 400));
  duty("CONNECT is refused (RFC 9110 §9.3.6)", (lab) =>
    refusedBy(lab, "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", 405),
  );
  duty("a client of CONNECT that resets its connection harms nobody (RFC 9110 §9.3.6)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    for (let i = 0; i < 20; i++) {
      const client = await proxy.client();
      client.write(
        "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n".repeat(i % 2 ? 1 : 50),
      );
      client.reset();
    }
    expect((await proxy.answerTo(get())).status).toBe(200);
  });
  duty("CONNECT pipelined behind a slow request is refused after it (RFC 9112 §9.3.2)", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => setTimeout(() => connection.write(ok("slow")), 50));
    });
    const client = await proxy.client();
    client.write(`${get()}CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n`);
    expect((await client.response()).body.toString()).toBe("slow");
    expect((await client.response()).status).toBe(405);
  });
  duty("TRACE is refused (RFC 9110 §9.3.8)", (lab) => refusedBy(lab, request("TRACE /"), 405));
  duty("TRACE is refused whatever its Max-Forwards (RFC 9110 §7.6.2)", (lab) =>
    refusedBy(lab, request("TRACE /", ["Max-Forwards: 0", "Cookie: secret"]), 405),
  );
}

function way(duty: Duty): void {
  duty("OPTIONS with Max-Forwards 0 is answered here (RFC 9110 §7.6.2)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const answer = await proxy.answerTo(request("OPTIONS /", ["Max-Forwards: 0"]));
    expect(answer.status).toBe(204);
    expect(proxy.raw.requests()).toEqual([]);
  });
  duty("OPTIONS with Max-Forwards goes on with one less (RFC 9110 §7.6.2)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(request("OPTIONS /", ["Max-Forwards: 10"]));
    expect(valuesOf(proxy.seen().fields, "max-forwards")).toEqual(["9"]);
  });
  duty("other methods keep their Max-Forwards (RFC 9110 §7.6.2)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(get("/", ["Max-Forwards: 0"]));
    expect(valuesOf(proxy.seen().fields, "max-forwards")).toEqual(["0"]);
  });

  duty("Via is added to a request, behind those before (RFC 9110 §7.6.3)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(get("/", ["Via: 1.0 fred", "via: 1.1 barney"]));
    const [via, ...more] = valuesOf(proxy.seen().fields, "via");
    expect(more).toEqual([]);
    expect(via).toMatch(/^1\.0 fred, 1\.1 barney, 1\.1 cutover-[0-9a-f]+$/);
  });
  duty("Via tells the version the request came in (RFC 9110 §7.6.3)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo("GET / HTTP/1.0\r\n\r\n");
    expect(valuesOf(proxy.seen().fields, "via")[0]).toMatch(/^1\.0 cutover-/);
  });
  duty("Via is added to a response, behind those before (RFC 9110 §7.6.3)", async (lab) => {
    const proxy = await lab.start(answering(ok("ok", ["Via: 1.1 inner", "Via: 1.1 middle"])));
    const answer = await proxy.answerTo(get());
    expect(valuesOf(answer.fields, "via")).toHaveLength(1);
    expect(valuesOf(answer.fields, "via")[0]).toMatch(/^1\.1 inner, 1\.1 middle, 1\.1 cutover-/);
  });
  for (const [what, vias] of [
    ["the one Via", (own: string) => [`Via: ${own}`]],
    ["a later Via", (own: string) => ["Via: 1.1 fred", `via: 1.1 barney, ${own}, 1.1 wilma`]],
  ] as const) {
    duty(`its own name in ${what} → 508 (RFC 9110 §7.6.3, RFC 5842 §7.2)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const own = valuesOf((await proxy.answerTo(get())).fields, "via")[0] ?? "";
      const answer = await proxy.answerTo(get("/", vias(own)));
      expect(answer.status).toBe(508);
      expect(proxy.raw.requests()).toHaveLength(1);
      await proxy.expectOutcomes({ ok: 1, rejected: 1 });
    });
  }

  const claimed = [
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 444",
    "Forwarded: for=203.0.113.9;proto=https",
    "x-forwarded-for: 203.0.113.10",
  ];
  duty("what an untrusted peer says of the way is replaced (RFC 7239 §8.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(get("/", claimed));
    const { fields } = proxy.seen();
    expect(valuesOf(fields, "x-forwarded-for")).toEqual(["127.0.0.1"]);
    expect(valuesOf(fields, "x-forwarded-proto")).toEqual(["http"]);
    expect(valuesOf(fields, "x-forwarded-host")).toEqual(["shop.example"]);
    expect(valuesOf(fields, "x-forwarded-port")).toEqual([]);
    expect(valuesOf(fields, "forwarded")).toEqual(['for=127.0.0.1;host="shop.example";proto=http']);
  });
  duty("what a trusted peer says of the way is kept and added to (RFC 7239 §4)", async (lab) => {
    const proxy = await lab.start(answering(ok()), { trustedProxies: ["127.0.0.0/8"] });
    await proxy.answerTo(get("/", claimed));
    const { fields } = proxy.seen();
    expect(valuesOf(fields, "x-forwarded-for")).toEqual(["203.0.113.9, 203.0.113.10, 127.0.0.1"]);
    expect(valuesOf(fields, "x-forwarded-proto")).toEqual(["https"]);
    expect(valuesOf(fields, "x-forwarded-host")).toEqual(["evil.example"]);
    expect(valuesOf(fields, "x-forwarded-port")).toEqual(["444"]);
    expect(valuesOf(fields, "forwarded")).toEqual([
      'for=203.0.113.9;proto=https, for=127.0.0.1;host="shop.example";proto=http',
    ]);
  });

  duty("a sound X-Request-Id is passed (W3C and custom ids alike)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(get("/", ["X-Request-Id: abc-123._Z"]));
    expect(valuesOf(proxy.seen().fields, "x-request-id")).toEqual(["abc-123._Z"]);
  });
  for (const [what, fields] of [
    ["none", []],
    ["an unsound one", ["X-Request-Id: a b<script>"]],
    ["one too long", [`X-Request-Id: ${"a".repeat(129)}`]],
  ] as const) {
    duty(`where there is ${what}, an X-Request-Id is made`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      for (let i = 0; i < 2; i++) await proxy.answerTo(get("/", fields));
      const ids = proxy.raw.requests().flatMap((seen) => valuesOf(seen.fields, "x-request-id"));
      expect(new Set(ids).size).toBe(2);
      for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
    });
  }
  const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  duty("a sound traceparent is passed, and tracestate with it (W3C Trace Context §3)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(get("/", [`traceparent: ${trace}`, "tracestate: a=1", "tracestate: b=2"]));
    expect(valuesOf(proxy.seen().fields, "traceparent")).toEqual([trace]);
    expect(valuesOf(proxy.seen().fields, "tracestate")).toEqual(["a=1", "b=2"]);
  });
  for (const bad of ["00-00000000000000000000000000000000-b7ad6b7169203331-01", "x", trace.toUpperCase()]) {
    duty(`instead of the traceparent ${bad} one is made (W3C Trace Context §3.2.2)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      await proxy.answerTo(get("/", [`traceparent: ${bad}`]));
      const [made, ...more] = valuesOf(proxy.seen().fields, "traceparent");
      expect(more).toEqual([]);
      expect(made).not.toBe(bad);
      expect(made).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    });
  }
}

function target(duty: Duty): void {
  const verbatim = [
    ...["/", "//x", "///", "//evil.example/a", "/a//b/", "/a;b=c", "/a,b", "/.a", "/..a", "/a..", "/a./"],
    ...["/%41%7e", "/caf%C3%A9", "/%00", "/%zz", "/a%20b", "/?", "/??a=b?c", "/?a=../..", "/?a=%2e%2e%2f"],
    ...["/a|b", '/"a"', "/{a}", "/<a>", "/[a]", "/^a`", "/http://other.example/", "/*", "/a:b@c", "/~"],
    "/?a=\\",
    // On no route, and read in no way on one.
    ...["/a/../b", "/..", "/../", "/a/.", "/./a", "/a/%2e%2e/b", "/%2E%2e", "/.%2e/", "/a/..;x/b", "/a/.;/b"],
    ...["/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a/..\\b", "//a", "/a%00", "/%63art"],
  ];
  for (const path of verbatim) {
    duty(`the target ${path} goes on byte for byte (RFC 9110 §7.7)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      await proxy.answerTo(get(path));
      expect(proxy.seen().line).toBe(`GET ${path} HTTP/1.1`);
    });
  }
  const ambiguous = [
    ...[
      "/cart/../admin",
      "/x/../cart/1",
      "/./cart/1",
      "/cart/.",
      "/cart/%2e%2e/b",
      "/x/.%2E/cart/1",
      "/cart/..;x/b",
    ],
    ...["/cart/a%2fb", "/cart%2F1", "/cart%5c1", "/cart\\1", "/x/..\\cart/1", "/x%2f..%2fcart%2f1"],
  ];
  for (const path of ambiguous) {
    duty(`the target ${path} is refused as ambiguous (RFC 3986 §6)`, (lab) => refusedBy(lab, get(path), 400));
  }
  for (const path of ["/caf\u00e9", "/\u00ff", "/a#b", "/\u007f", "/a\u0001b"]) {
    duty(`the target ${JSON.stringify(path)} is refused (RFC 9112 §3.2)`, (lab) =>
      refusedBy(lab, get(path), 400),
    );
  }

  for (const method of ["M-SEARCH", "PROPFIND", "REPORT", "QUERY", "PURGE", "LINK", "MKCALENDAR"]) {
    duty(`the method ${method} goes on as it is spelt (RFC 9110 §9.1)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const answer = await proxy.answerTo(request(`${method} /`));
      if (answer.status === 200) expect(proxy.seen().line).toBe(`${method} / HTTP/1.1`);
      else expect(proxy.raw.requests()).toEqual([]);
      expect([200, 400]).toContain(answer.status);
    });
  }
  for (const method of ["get", "Get", "GETT", "G", "X-Y.Z", "GET!"]) {
    duty(
      `the method ${method}, which the parser does not know, is refused or goes on as it is spelt`,
      async (lab) => {
        const proxy = await lab.start(answering(ok()));
        const answer = await proxy.answerTo(request(`${method} /`));
        if (answer.status === 200) expect(proxy.seen().line).toBe(`${method} / HTTP/1.1`);
        else {
          expect(answer.status).toBe(400);
          expect(proxy.raw.requests()).toEqual([]);
          await proxy.expectOutcomes({ rejected: 1 });
        }
      },
    );
  }
}

duties("whom a request is for and which way it came", (duty) => {
  authority(duty);
  way(duty);
  target(duty);
});
