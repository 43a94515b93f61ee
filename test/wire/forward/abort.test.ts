/** Giving up, at every point: the upstream sees a closed connection soon, the caller hears nothing. */
import { PassThrough, Readable } from "node:stream";
import { expect } from "vitest";
import { startFullListener } from "../../support/full-listener.ts";
import { answering } from "../../support/raw-upstream.ts";
import { type Recording, recordingSink } from "../../support/recording-sink.ts";
import { turn, until } from "../../support/until.ts";
import { closesSoon, duties, exchange, ok, type Sent, send, sized, soonMs } from "./engines.ts";

async function staysSilent(sink: Recording): Promise<void> {
  const before = sink.calls.length;
  for (let i = 0; i < 20; i++) await turn();
  expect(sink.calls).toHaveLength(before);
  expect(sink.isOver()).toBe(false);
}

duties("abort", (duty) => {
  duty("while the request waits for a connection: it is never sent", async (lab) => {
    const { raw, upstream } = await lab.upstream(() => {}, { connections: 1 });
    const first = send(upstream);
    await until("the first request", () => raw.requests().length === 1);
    const content = new PassThrough();
    const queued = [
      send(upstream, { target: "/dead" }),
      send(upstream, { target: "/dead", method: "POST", body: { kind: "chunked", content } }),
    ];
    const alive = send(upstream, { target: "/alive" });
    for (const { abort } of queued) abort();
    raw.connections[0]?.write(ok());
    await first.sink.over;
    await until("the third", () => raw.requests().length === 2);
    expect(raw.requests().map(({ line }) => line)).toEqual(["GET / HTTP/1.1", "GET /alive HTTP/1.1"]);
    for (const { sink } of queued) await staysSilent(sink);
    expect(content.destroyed).toBe(false);
    expect(content.readableDidRead).toBe(false);
    alive.abort();
  });

  duty("while the connection is being made: the attempt is given up", async (lab) => {
    const full = await startFullListener();
    const sockets = () => process.getActiveResourcesInfo().filter((name) => /^TCP/.test(name)).length;
    try {
      const upstream = lab.to(full.url);
      const before = sockets();
      const { sink, abort } = send(upstream);
      await until("the attempt", () => sockets() > before);
      abort();
      await until("no attempt", () => sockets() <= before, soonMs);
      await staysSilent(sink);
      // Nothing is left to wait for.
      await upstream.close();
    } finally {
      full.close();
    }
  });

  duty("in the tick of the request", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    const { sink, abort } = send(upstream);
    abort();
    await staysSilent(sink);
    await exchange(upstream, { target: "/next" });
    expect(raw.requests().map(({ line }) => line)).toEqual(["GET /next HTTP/1.1"]);
  });

  duty("while the body is sent: the upstream sees no whole request (RFC 9112 §8)", async (lab) => {
    const { raw, upstream } = await lab.upstream(() => {});
    for (const [index, body] of [
      { kind: "chunked", content: new PassThrough() } as const,
      { kind: "sized", length: 9, content: new PassThrough() } as const,
    ].entries()) {
      body.content.write("half");
      const { sink, abort } = send(upstream, { method: "POST", body });
      await until("half the body", () => raw.connections[index]?.received().includes("half") === true);
      abort();
      await closesSoon(raw, index);
      await staysSilent(sink);
      expect(raw.requests()).toEqual([]);
      expect(body.content.destroyed).toBe(false);
      expect(body.content.isPaused()).toBe(true);
      expect(body.content.listenerCount("data") + body.content.listenerCount("end")).toBe(0);
    }
  });

  duty("while the response's head is awaited", async (lab) => {
    const { raw, upstream } = await lab.upstream(() => {});
    for (const [index, body] of [
      { kind: "none" } as const,
      sized(Buffer.from("x")),
      sized(Readable.from([Buffer.from("x")]), 1),
    ].entries()) {
      const { sink, abort } = send(upstream, { method: "POST", body });
      await until("the request", () => raw.requests().length === index + 1);
      abort();
      await closesSoon(raw, index);
      await staysSilent(sink);
    }
  });

  duty("between an interim response and the head", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering("HTTP/1.1 103 Early Hints\r\n\r\n"));
    const { sink, abort } = send(upstream);
    await until("the interim response", () => sink.interims.length === 1);
    abort();
    await closesSoon(raw);
    await staysSilent(sink);
  });

  duty("while the body is received", async (lab) => {
    const { raw, upstream } = await lab.upstream(
      answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    );
    const { sink, abort } = send(upstream);
    await until("half the body", () => sink.octets() === 4);
    abort();
    await closesSoon(raw);
    await staysSilent(sink);
  });

  duty("while the client reads nothing", async (lab) => {
    const big = Buffer.alloc(4 << 20);
    const { raw, upstream } = await lab.upstream(
      answering(
        Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`), big]),
      ),
    );
    const { sink, abort, resume } = send(
      upstream,
      {},
      recordingSink(() => false),
    );
    await until("the first data", () => sink.octets() > 0);
    abort();
    await closesSoon(raw);
    resume();
    await staysSilent(sink);
  });

  for (const call of ["interim", "head", "data"] as const) {
    duty(`inside the call of ${call}`, async (lab) => {
      // Where all of the answer has come by the call of data, its connection may be kept: from Node 24 on node:http does.
      const end = call === "data" ? "" : "0\r\n\r\n";
      const { raw, upstream } = await lab.upstream(
        answering(
          `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\r\nok\r\n${end}`,
        ),
      );
      const sink = recordingSink();
      let sent: Sent | undefined;
      const abortIn = (name: string) => {
        if (name === call) sent?.abort();
      };
      const aborting: Recording = {
        ...sink,
        interim(head) {
          sink.interim(head);
          abortIn("interim");
        },
        head(head) {
          sink.head(head);
          abortIn("head");
        },
        data(chunk) {
          sink.data(chunk);
          abortIn("data");
          return true;
        },
      };
      sent = send(upstream, {}, aborting);
      await until("the call", () => sink.calls.includes(call));
      await closesSoon(raw);
      await staysSilent(sink);
      expect(sink.calls.at(-1)).toBe(call);
    });
  }

  duty("after the end it does nothing, and the connection is kept", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()), { connections: 1 });
    const { sink, abort, resume } = send(upstream);
    await sink.over;
    abort();
    resume();
    await exchange(upstream);
    expect(raw.connections).toHaveLength(1);
    expect(sink.faults).toEqual([]);
  });

  duty("a hundred at random points leave the upstream usable and nothing running", async (lab) => {
    const { raw, upstream } = await lab.upstream(
      (connection) => {
        connection.onRequest(async () => {
          connection.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
          await turn();
          connection.write("def");
        });
      },
      { connections: 4 },
    );
    const sent: Sent[] = [];
    for (let i = 0; i < 100; i++) {
      sent.push(
        send(
          upstream,
          i % 3 === 0
            ? { method: "POST", body: { kind: "chunked", content: Readable.from([Buffer.from("abc")]) } }
            : {},
        ),
      );
      const aborted = sent[i];
      if (i % 2 === 0) {
        const turns = i % 7;
        void (async () => {
          for (let t = 0; t < turns; t++) await turn();
          aborted?.abort();
        })();
      }
      if (i % 5 === 0) await turn();
    }
    await Promise.all(sent.filter((_, i) => i % 2 === 1).map(({ sink }) => sink.over));
    for (const [i, { sink }] of sent.entries()) {
      expect(sink.faults).toEqual([]);
      if (i % 2 === 1) expect(sink.body().toString()).toBe("abcdef");
    }
    await upstream.close();
    await until("all connections closed", () =>
      raw.connections.every((connection) => connection.closedBy() !== "open"),
    );
  });
});
