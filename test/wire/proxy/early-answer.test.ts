/**
 * An upstream that answers before it has the whole request, as one that refuses an upload does (RFC 9112 §9.3): its
 * answer reaches the client, and the client's connection is either good for the next request or closed, and said so.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type Script, valuesOf } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import type { RawClient } from "../../support/wire-client.ts";
import { type Duty, duties, get, type Lab, ok, request } from "./lab.ts";

const big = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig";
const bigInChunks =
  "HTTP/1.1 413 Content Too Large\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbig\r\n0\r\n\r\n";
const bigUntilClose = "HTTP/1.0 413 Content Too Large\r\n\r\nbig";
const mebibyte = 1 << 20;

/** Answers a request that begins with `POST` at its first bytes, and any other once it is whole. */
const refusing =
  (answer: string, closes = false): Script =>
  (connection) => {
    let answered = false;
    connection.socket.on("data", () => {
      if (answered || !connection.received().includes("POST")) return;
      answered = true;
      connection.write(answer);
      if (closes) connection.socket.end();
    });
    connection.onRequest(({ line }) => {
      if (line.startsWith("GET")) connection.write(ok("next"));
    });
  };

async function refused(lab: Lab, head: string, answer = big, closes = false) {
  const proxy = await lab.start(refusing(answer, closes));
  const client = await proxy.client();
  client.write(head);
  const received = await client.response();
  expect(received.status).toBe(413);
  expect(received.body.toString()).toBe("big");
  return { proxy, client, says: valuesOf(received.fields, "connection") };
}

const sized = (length: number, sent = "first", fields: readonly string[] = []): string =>
  request("POST /", [...fields, `Content-Length: ${length}`], sent);

async function expectNext(client: RawClient): Promise<void> {
  client.write(get("/next"));
  expect((await client.response()).body.toString()).toBe("next");
}

/** Its client reads the answer and the end behind it, and no reset that would take the answer away. */
async function expectClosed(client: RawClient, withinMs = 3000): Promise<void> {
  await until("the end of the client's connection", () => client.closedBy() !== "open", withinMs);
  expect(client.closedBy()).toBe("fin");
}

function kept(duty: Duty): void {
  for (const [what, answer, closes] of [
    ["", big, false],
    [" in chunks", bigInChunks, false],
    [" that its upstream's close ends", bigUntilClose, true],
  ] as const) {
    duty(
      `an early answer${what}: the rest is dropped, the next request answered (RFC 9112 §9.3)`,
      async (lab) => {
        const { proxy, client, says } = await refused(lab, sized(5 + mebibyte), answer, closes);
        expect(says).toEqual(["keep-alive"]);
        client.write(Buffer.alloc(mebibyte, "x"));
        await expectNext(client);
        expect(proxy.raw.requests().map(({ line }) => line)).toEqual(["GET /next HTTP/1.1"]);
        await proxy.expectOutcomes({ ok: 2 });
      },
    );
  }
  duty("an early answer to a client that had sent all of it: the next request is answered", async (lab) => {
    const { client, says } = await refused(lab, sized(700_000, "x".repeat(700_000)));
    expect(says).toEqual(["keep-alive"]);
    await expectNext(client);
  });
  duty(
    "an early answer with a request pipelined behind the upload: that is answered behind it",
    async (lab) => {
      const proxy = await lab.start(refusing(big));
      const client = await proxy.client();
      client.write(sized(300_000, `${"x".repeat(300_000)}${get("/next")}`));
      expect((await client.response()).status).toBe(413);
      expect((await client.response()).body.toString()).toBe("next");
      await proxy.expectOutcomes({ ok: 2 });
    },
  );
  duty("what is dropped looks like a request and is none (RFC 9112 §9.3)", async (lab) => {
    const within = get("/inside");
    const { proxy, client } = await refused(lab, sized(5 + within.length));
    client.write(within);
    await expectNext(client);
    expect(proxy.raw.requests().map(({ line }) => line)).toEqual(["GET /next HTTP/1.1"]);
  });
  duty("five early answers on one connection", async (lab) => {
    const proxy = await lab.start(refusing(big));
    const client = await proxy.client();
    for (let i = 0; i < 5; i++) {
      client.write(sized(200_000, "x".repeat(100_000)));
      expect((await client.response()).status).toBe(413);
      client.write(Buffer.alloc(100_000, "x"));
    }
    await expectNext(client);
    await proxy.expectOutcomes({ ok: 6 });
  });
  duty("a client that goes on too slowly after an early answer is closed after a second", async (lab) => {
    const { client, says } = await refused(lab, sized(mebibyte));
    expect(says).toEqual(["keep-alive"]);
    const began = performance.now();
    const dripping = setInterval(() => client.write("x"), 50);
    try {
      await until("the end of the client's connection", () => client.closedBy() !== "open", 3000);
    } finally {
      clearInterval(dripping);
    }
    expect(performance.now() - began).toBeGreaterThan(800);
  });
}

function closed(duty: Duty): void {
  for (const [what, head, answer] of [
    ["more than 1 MiB to come", sized(6 + mebibyte), big],
    ["more than 1 MiB to come, answered in chunks", sized(6 + mebibyte), bigInChunks],
    ["an upload in chunks", request("POST /", ["Transfer-Encoding: chunked"], "5\r\nfirst\r\n"), big],
    [
      "an upload in chunks, answered in chunks",
      request("POST /", ["Transfer-Encoding: chunked"], "5\r\nfirst\r\n"),
      bigInChunks,
    ],
    ["a client that asks for the close", sized(1000, "first", ["Connection: close"]), big],
  ] as const) {
    duty(`an early answer to ${what} says close, and closes in good order (RFC 9112 §9.6)`, async (lab) => {
      const { proxy, client, says } = await refused(lab, head, answer);
      expect(says).toEqual(["close"]);
      await expectClosed(client);
      await proxy.expectOutcomes({ ok: 1 });
    });
  }
  for (const answer of [big, bigInChunks]) {
    const how = answer === big ? "" : " in chunks";
    duty(
      `an early answer${how} to a client that pours 32 MiB and then reads is there to be read`,
      async (lab) => {
        const proxy = await lab.start(refusing(answer));
        const client = await proxy.client();
        client.socket.pause();
        client.write(sized(32 * mebibyte, ""));
        const part = Buffer.alloc(mebibyte, "x");
        for (let i = 0; i < 8; i++) {
          client.write(part);
          await until("it is taken", () => client.socket.writableLength === 0, 900);
        }
        client.socket.resume();
        const received = await client.response();
        expect([received.status, ...valuesOf(received.fields, "connection")]).toEqual([413, "close"]);
        await proxy.expectOutcomes({ ok: 1 });
      },
    );
  }
  duty(
    "an early answer to a client that uploads for two seconds more and then reads is there",
    async (lab) => {
      const proxy = await lab.start(refusing(big));
      const client = await proxy.client();
      client.socket.pause();
      client.write(sized(32 * mebibyte, ""));
      const part = Buffer.alloc(256 * 1024, "x");
      const began = performance.now();
      while (performance.now() - began < 2200) {
        client.write(part);
        await until("it is taken", () => client.socket.writableLength === 0, 900);
        await sleep(100);
      }
      client.socket.resume();
      const received = await client.response();
      expect([received.status, ...valuesOf(received.fields, "connection")]).toEqual([413, "close"]);
    },
  );
  duty("an early answer to HTTP/1.0 is whole, and its end a close", async (lab) => {
    const proxy = await lab.start(refusing(bigInChunks));
    const client = await proxy.client();
    client.write("POST / HTTP/1.0\r\nHost: shop.example\r\nContent-Length: 1000\r\n\r\nfirst");
    const received = await client.response();
    expect([received.status, received.body.toString()]).toEqual([413, "big"]);
    await expectClosed(client);
  });
  duty(
    "an early answer of an upstream that closes at once, most of the upload unread, is not lost",
    async (lab) => {
      const proxy = await lab.start(({ socket }) => {
        socket.once("data", () => {
          socket.pause();
          socket.write(big.replace("\r\n", "\r\nConnection: close\r\n"), () => socket.destroy());
        });
      });
      for (let i = 0; i < 4; i++) {
        const client = await proxy.client();
        client.write(sized(4 * mebibyte, "x".repeat(4 * mebibyte)));
        const received = await client.response();
        expect([received.status, received.body.toString()]).toEqual([413, "big"]);
      }
    },
  );
  duty("the connection to the upstream is not used again after an early answer", async (lab) => {
    const { proxy, client } = await refused(lab, sized(1000));
    await until("its end", () => proxy.raw.connections[0]?.closedBy() !== "open", 1000);
    client.write("x".repeat(995));
    await expectNext(client);
    expect(proxy.raw.connections).toHaveLength(2);
  });
}

function own(duty: Duty): void {
  duty(
    "a refusal of the proxy's own before the upload: the rest is dropped, the next answered",
    async (lab) => {
      const proxy = await lab.start(refusing(big));
      const client = await proxy.client();
      client.write(request("POST /cart/../x", ["Content-Length: 200000"], "first"));
      expect((await client.response()).status).toBe(400);
      client.write("x".repeat(199_995));
      await expectNext(client);
    },
  );
  duty("a refusal of the proxy's own before 10 MiB says close, and closes in good order", async (lab) => {
    const proxy = await lab.start(refusing(big));
    const client = await proxy.client();
    client.write(request("POST /cart/../x", [`Content-Length: ${10 * mebibyte}`], "first"));
    const received = await client.response();
    expect([received.status, ...valuesOf(received.fields, "connection")]).toEqual([400, "close"]);
    await expectClosed(client);
  });
  duty(
    "an early answer to a client that waits for 100 Continue and was asked (RFC 9110 §10.1.1)",
    async (lab) => {
      const proxy = await lab.start(refusing(big));
      const client = await proxy.client();
      client.write(sized(200_000, "", ["Expect: 100-continue"]));
      await until("it is asked or answered", () => client.received().length > 0);
      client.write("x".repeat(100));
      const received = await client.response();
      expect(received.status).toBe(413);
      client.write("x".repeat(199_900));
      await expectNext(client);
    },
  );
}

duties("an upstream that answers before it has the whole request", (duty) => {
  kept(duty);
  closed(duty);
  own(duty);
});
