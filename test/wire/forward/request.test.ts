/** What the upstream sees of a request. */
import { PassThrough, Readable } from "node:stream";
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import { duties, exchange, failing, ok, send, sized } from "./engines.ts";

const chunks = (...texts: string[]) =>
  Readable.from(
    texts.map((text) => Buffer.from(text)),
    { objectMode: false },
  );

duties("the request", (duty) => {
  for (const method of ["GET", "DELETE", "OPTIONS", "HEAD", "POST", "PURGE"]) {
    duty(`keeps a chunked ${method} framed (RFC 9112 §6.3)`, async (lab) => {
      const head = "HTTP/1.1 204 No Content\r\n\r\n";
      const { raw, upstream } = await lab.upstream(answering(head));
      await exchange(upstream, { method, body: { kind: "chunked", content: chunks("hello ", "world") } });
      const [seen] = raw.requests();
      expect(seen?.framing).toBe("chunked");
      expect(seen?.body.toString()).toBe("hello world");
      expect(raw.connections[0]?.unread()).toHaveLength(0);
    });

    duty(`keeps a sized ${method} framed (RFC 9112 §6.3)`, async (lab) => {
      const { raw, upstream } = await lab.upstream(answering("HTTP/1.1 204 No Content\r\n\r\n"));
      await exchange(upstream, { method, body: sized(Buffer.from("hello")) });
      await exchange(upstream, { method, body: sized(chunks("hel", "lo"), 5) });
      for (const seen of raw.requests()) {
        expect(valuesOf(seen.fields, "content-length")).toEqual(["5"]);
        expect(seen.body.toString()).toBe("hello");
      }
      expect(raw.requests()).toHaveLength(2);
    });
  }

  duty("sends content-length: 0 with a POST without content (RFC 9110 §8.6)", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    await exchange(upstream, { method: "POST" });
    await exchange(upstream, { method: "POST", body: sized(Buffer.alloc(0)) });
    await exchange(upstream, { method: "POST", body: sized(Readable.from([]), 0) });
    expect(raw.requests().map(({ fields }) => valuesOf(fields, "content-length"))).toEqual([
      ["0"],
      ["0"],
      ["0"],
    ]);
  });

  duty("sends no framing with a GET without content (RFC 9112 §6.3)", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    await exchange(upstream);
    await exchange(upstream, { method: "DELETE" });
    expect(raw.requests().map(({ framing }) => framing)).toEqual(["none", "none"]);
  });

  duty("an empty chunked body is an empty body (RFC 9112 §7.1)", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    for (const method of ["POST", "GET"]) {
      await exchange(upstream, { method, body: { kind: "chunked", content: Readable.from([]) } });
    }
    expect(raw.requests().map(({ body }) => body.length)).toEqual([0, 0]);
    expect(raw.connections.map((connection) => connection.unread().length)).toEqual(
      raw.connections.map(() => 0),
    );
  });

  for (const target of [
    "//x",
    "/a/../b",
    "/a%2fb",
    "/a\\b",
    "/?a=b?c&d=%00",
    "/caf\u00e9",
    "/a;b=c",
    "/.",
    "/a//b/",
    "/x#y",
    "/http://other/",
  ]) {
    duty(`forwards the target ${target} byte for byte (RFC 9110 §7.7)`, async (lab) => {
      const { raw, upstream } = await lab.upstream(answering(ok()));
      await exchange(upstream, { target });
      expect(raw.requests()[0]?.line).toBe(`GET ${target} HTTP/1.1`);
    });
  }

  duty("OPTIONS * stays * (RFC 9112 §3.2.4)", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok("")));
    await exchange(upstream, { method: "OPTIONS", target: "*" });
    expect(raw.requests()[0]?.line).toBe("OPTIONS * HTTP/1.1");
  });

  duty("forwards a method as it is spelt (RFC 9110 §9.1)", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    for (const method of ["PURGE", "get", "M-SEARCH"]) await exchange(upstream, { method });
    expect(raw.requests().map(({ line }) => line.split(" ")[0])).toEqual(["PURGE", "get", "M-SEARCH"]);
  });

  const repeated = ["Host", "shop.example", "X-B", "1", "x-a", "2", "X-b", "3", "Cookie", "a=1", "X-A", "4"];
  const without = (fields: readonly string[], names: readonly string[]) =>
    fields.filter((_, i) => !names.includes(fields[i - (i % 2)]?.toLowerCase() ?? ""));

  duty(
    "keeps repeated and mixed-case fields in their order (RFC 9110 §5.3)",
    async (lab) => {
      const { raw, upstream } = await lab.upstream(answering(ok()));
      await exchange(upstream, { fields: repeated });
      const seen = raw.requests()[0]?.fields ?? [];
      expect(without(seen, ["host", "connection"])).toEqual(without(repeated, ["host"]));
      expect(valuesOf(seen, "host")).toEqual(["shop.example"]);
    },
    async (lab) => {
      const { raw, upstream } = await lab.upstream(answering(ok()));
      await exchange(upstream, { fields: repeated });
      const seen = raw.requests()[0]?.fields ?? [];
      expect(without(seen, ["host", "connection"])).toEqual([
        "X-B",
        "1",
        "X-B",
        "3",
        "x-a",
        "2",
        "x-a",
        "4",
        "Cookie",
        "a=1",
      ]);
      expect(valuesOf(seen, "host")).toEqual(["shop.example"]);
    },
  );

  duty("adds no field but connection and the framing", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    await exchange(upstream);
    expect(raw.requests()[0]?.fields.map((part) => part.toLowerCase())).toEqual([
      "host",
      "shop.example",
      "connection",
      "keep-alive",
    ]);
  });

  const latin = "caf\u00e9 \u0080\u00ff\t.";
  duty("sends obs-text octet for octet (RFC 9110 §5.5)", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    const fields = ["Host", "shop.example", "X-Latin", latin];
    await exchange(upstream, { fields });
    await exchange(upstream, { fields, method: "POST", body: sized(Buffer.from("caf\u00e9")) });
    await exchange(upstream, {
      fields,
      method: "POST",
      body: { kind: "chunked", content: chunks("caf\u00e9") },
    });
    for (const seen of raw.requests()) expect(valuesOf(seen.fields, "x-latin")).toEqual([latin]);
    expect(raw.requests()).toHaveLength(3);
  });

  duty("refuses to write a field that would be another message (RFC 9110 §5.5)", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    for (const value of ["a\r\nX-Evil: 1", "a\nb", "a\u0000b", "\u20ac"]) {
      const sink = await failing(upstream, { fields: ["Host", "shop.example", "X-A", value] });
      expect(sink.failures()).toMatchObject([{ outcome: "protocol_error", sent: false }]);
    }
    for (const name of ["", "a b", "a:b", "a\r\n"]) {
      const sink = await failing(upstream, { fields: ["Host", "shop.example", name, "x"] });
      expect(sink.failures()).toMatchObject([{ outcome: "protocol_error", sent: false }]);
    }
    await exchange(upstream);
    expect(raw.requests()).toHaveLength(1);
  });

  const openPost = () => ({ method: "POST", body: { kind: "chunked", content: new PassThrough() } }) as const;
  duty(
    "sends the head of a streamed request at once (RFC 9112 §6)",
    async (lab) => {
      const { raw, upstream } = await lab.upstream(() => {});
      const { abort } = send(upstream, openPost());
      await until("the head", () => raw.connections[0]?.received().includes("\r\n\r\n") === true);
      abort();
    },
    async (lab) => {
      const { raw, upstream } = await lab.upstream(() => {});
      const what = openPost();
      const { abort } = send(upstream, what);
      await until("the connection", () => raw.connections.length === 1);
      await exchange(lab.to((await lab.upstream(answering(ok()))).raw.url));
      expect(raw.connections[0]?.received()).toHaveLength(0);
      what.body.content.write("x");
      await until("the head", () => raw.connections[0]?.received().includes("\r\n\r\n") === true);
      abort();
    },
  );

  duty(
    "sends the head of a streamed request at once even when a field is obs-text (RFC 9112 §6)",
    async (lab) => {
      const { raw, upstream } = await lab.upstream(() => {});
      const { abort } = send(upstream, { ...openPost(), fields: ["Host", "shop.example", "X-Latin", latin] });
      await until("the head", () => raw.connections[0]?.received().includes("\r\n\r\n") === true);
      abort();
    },
    async (lab) => {
      const { raw, upstream } = await lab.upstream(() => {});
      const what = { ...openPost(), fields: ["Host", "shop.example", "X-Latin", latin] };
      const { abort } = send(upstream, what);
      await until("the connection", () => raw.connections.length === 1);
      await exchange(lab.to((await lab.upstream(answering(ok()))).raw.url));
      expect(raw.connections[0]?.received()).toHaveLength(0);
      what.body.content.write("x");
      await until("the head", () => raw.connections[0]?.received().includes("\r\n\r\n") === true);
      expect(raw.connections[0]?.received().includes(Buffer.from(latin, "latin1"))).toBe(true);
      abort();
    },
  );
});
