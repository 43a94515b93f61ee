/** What belongs to a connection stays on it, in both directions (RFC 9110 §7.6). */
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import { duties, get, ok, post } from "./lab.ts";

const ofTheConnection: Readonly<Record<string, string>> = {
  "Keep-Alive": "timeout=5",
  "Proxy-Connection": "keep-alive",
  TE: "trailers",
  Trailer: "X-Sum",
  "Proxy-Authorization": "Basic eDp5",
  "Proxy-Authenticate": "Basic",
  "HTTP2-Settings": "AAMAAABkAAQAAP__",
};

duties("what belongs to a connection", (duty) => {
  for (const [name, value] of Object.entries(ofTheConnection)) {
    duty(`${name} is removed from a request (RFC 9110 §7.6.1)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const connection = name === "HTTP2-Settings" ? ["Connection: HTTP2-Settings"] : [];
      await proxy.answerTo(get("/", [`${name}: ${value}`, `${name.toLowerCase()}: ${value}`, ...connection]));
      expect(valuesOf(proxy.seen().fields, name.toLowerCase())).toEqual([]);
    });
    if (name === "HTTP2-Settings") continue;
    duty(`${name} is removed from a response (RFC 9110 §7.6.1)`, async (lab) => {
      const proxy = await lab.start(answering(ok("ok", [`${name}: ${value}`, "X-Kept: 1"])));
      const answer = await proxy.answerTo(get());
      if (name !== "Keep-Alive") expect(valuesOf(answer.fields, name.toLowerCase())).toEqual([]);
      // What this hop says of its own connection is its own.
      else expect(valuesOf(answer.fields, "keep-alive")).not.toContain(value);
      expect(valuesOf(answer.fields, "x-kept")).toEqual(["1"]);
    });
  }

  duty("Upgrade is removed from a response (RFC 9110 §7.8)", async (lab) => {
    const proxy = await lab.start(answering(ok("ok", ["Upgrade: h2c", "Connection: upgrade"])));
    const answer = await proxy.answerTo(get());
    expect(valuesOf(answer.fields, "upgrade")).toEqual([]);
  });

  duty("an Upgrade to h2c goes no further (RFC 9113 §3.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const answer = await proxy.answerTo(
      get("/", ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: Upgrade, HTTP2-Settings"]),
    );
    expect(answer.status).toBe(200);
    expect(valuesOf(proxy.seen().fields, "upgrade")).toEqual([]);
    expect(valuesOf(proxy.seen().fields, "http2-settings")).toEqual([]);
  });

  duty("Connection and all it names are removed from a request (RFC 9110 §7.6.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(
      get(
        "/",
        [
          "Connection: X-One , x-two,, X-THREE",
          "connection: x-four",
          "X-One: 1",
          "X-Two: 2",
          "x-three: 3",
        ].concat(["X-Four: 4", "X-Five: 5"]),
      ),
    );
    const seen = proxy.seen();
    for (const name of ["x-one", "x-two", "x-three", "x-four"])
      expect(valuesOf(seen.fields, name)).toEqual([]);
    expect(valuesOf(seen.fields, "x-five")).toEqual(["5"]);
    expect(valuesOf(seen.fields, "connection").join()).not.toMatch(/x-/i);
  });

  duty("Connection and all it names are removed from a response (RFC 9110 §7.6.1)", async (lab) => {
    const proxy = await lab.start(
      answering(ok("ok", ["Connection: X-One, x-two", "X-One: 1", "X-Two: 2", "X-Five: 5"])),
    );
    const answer = await proxy.answerTo(get());
    for (const name of ["x-one", "x-two"]) expect(valuesOf(answer.fields, name)).toEqual([]);
    expect(valuesOf(answer.fields, "x-five")).toEqual(["5"]);
    expect(valuesOf(answer.fields, "connection").join()).not.toMatch(/x-/i);
  });

  duty("no field named by Connection strips the framing (CVE-2026-33805)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    await proxy.answerTo(post("hello", ["Connection: content-length, transfer-encoding"]));
    expect(proxy.seen().body.toString()).toBe("hello");
    expect(valuesOf(proxy.seen().fields, "content-length")).toEqual(["5"]);
  });

  duty("no field named by Connection strips who the client is (CVE-2026-33805)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const kept = ["Cookie: sid=7", "Authorization: Bearer x", "X-Shopper-Id: s1"];
    await proxy.answerTo(get("/cart/1", ["Connection: host, cookie, authorization, x-shopper-id", ...kept]));
    const { fields } = proxy.seen();
    expect(valuesOf(fields, "host")).toEqual(["shop.example"]);
    expect(valuesOf(fields, "cookie")).toEqual(["sid=7"]);
    expect(valuesOf(fields, "authorization")).toEqual(["Bearer x"]);
    expect(valuesOf(fields, "x-shopper-id")).toEqual(["s1"]);
  });

  duty("no field named by Connection strips what the proxy adds (CVE-2026-33805)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const added = ["via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"];
    const ids = ["x-request-id", "traceparent"];
    await proxy.answerTo(get("/", [`Connection: ${[...added, ...ids].join(", ")}`]));
    for (const name of [...added, ...ids]) expect(valuesOf(proxy.seen().fields, name)).toHaveLength(1);
  });

  duty("no field named by Connection strips what the proxy adds to a response", async (lab) => {
    const proxy = await lab.start(answering(ok("ok", ["Connection: via, content-length, date"])));
    const answer = await proxy.answerTo(get());
    expect(valuesOf(answer.fields, "via")).toHaveLength(1);
    expect(valuesOf(answer.fields, "date")).toHaveLength(1);
    expect(answer.body.toString()).toBe("ok");
  });

  const overHttp10 = (fields = "") => `GET / HTTP/1.0\r\nHost: shop.example\r\n${fields}\r\n`;
  duty("an HTTP/1.0 client never gets chunks (RFC 9112 §7)", async (lab) => {
    const proxy = await lab.start(
      answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"),
    );
    for (const keepAlive of ["", "Connection: keep-alive\r\n"]) {
      const client = await proxy.client();
      client.write(overHttp10(keepAlive));
      const answer = await client.response();
      expect(answer.framing).toBe("until close");
      expect(answer.body.toString()).toBe("hello");
      expect(await client.closed()).toBe("fin");
    }
  });

  duty("an HTTP/1.0 client never gets an interim response (RFC 9110 §15.2)", async (lab) => {
    const proxy = await lab.start(answering(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${ok()}`));
    const answer = await proxy.answerTo(overHttp10("Expect: 100-continue\r\n"));
    expect(answer.interims).toEqual([]);
    expect(answer.body.toString()).toBe("ok");
  });

  duty("an HTTP/1.0 client's connection closes after the answer (RFC 9112 §9.3)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const client = await proxy.client();
    client.write(overHttp10());
    expect((await client.response()).body.toString()).toBe("ok");
    expect(await client.closed()).toBe("fin");
  });

  duty(
    "an HTTP/1.0 client that keeps the connection is told so and may use it again (RFC 9112 §9.3)",
    async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const client = await proxy.client();
      for (let i = 0; i < 2; i++) {
        client.write(overHttp10("Connection: keep-alive\r\n"));
        expect(valuesOf((await client.response()).fields, "connection")).toEqual(["keep-alive"]);
      }
    },
  );

  duty(
    "an HTTP/1.0 client whose body is broken off sees an abort, never a clean end (RFC 9112 §8)",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(() => {
          connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        });
      });
      const client = await proxy.client();
      client.write(overHttp10());
      await until("the beginning", () => client.received().includes("hello"));
      proxy.raw.connections[0]?.reset();
      expect(await client.closed()).toBe("reset");
      await proxy.expectOutcomes({ reset: 1 });
    },
  );

  duty("the upstream's wish to close is not the client's (RFC 9110 §7.6.1)", async (lab) => {
    const proxy = await lab.start(answering(ok("ok", ["Connection: close"])));
    const client = await proxy.client();
    for (let i = 0; i < 3; i++) {
      client.write(get());
      const answer = await client.response();
      expect(valuesOf(answer.fields, "connection")).not.toContain("close");
    }
    expect(proxy.raw.connections).toHaveLength(3);
  });

  duty("the client's wish to close is not the upstream's (RFC 9110 §7.6.1)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    for (let i = 0; i < 3; i++) await proxy.answerTo(get("/", ["Connection: close"]));
    expect(proxy.raw.connections).toHaveLength(1);
  });
});
