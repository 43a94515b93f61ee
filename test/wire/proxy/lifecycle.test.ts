/** The life of an exchange: every way it can end, what is closed then, and how often it is counted. */
import { expect } from "vitest";
import { startFullListener } from "../../support/full-listener.ts";
import { answering, type RawConnection, type Script } from "../../support/raw-upstream.ts";
import { settled, until } from "../../support/until.ts";
import type { RawClient } from "../../support/wire-client.ts";
import { chunked, type Duty, duties, get, ok, post, type Running, request, timeUntil } from "./lab.ts";

/** What is due, in the process's own time. */
const promptMs = 100;
const never: Script = () => {};

/** The upstream's connection closes promptly, and one abort is counted. */
async function expectClosed(proxy: Running): Promise<void> {
  const took = await timeUntil("the end of the upstream's connection", () => proxy.openUpstream() === 0);
  expect(took).toBeLessThan(promptMs);
  await proxy.expectOutcomes({ client_aborted: 1 });
}

function aborts(duty: Duty): void {
  for (const how of ["a reset", "an end"] as const) {
    const leave = (client: { reset(): void; end(): void }) =>
      how === "a reset" ? client.reset() : client.end();

    duty(
      `a client gone by ${how} while it waits: the upstream's connection closes within 100 ms`,
      async (lab) => {
        const proxy = await lab.start(never);
        const client = await proxy.client();
        client.write(get());
        await until("the request", () => proxy.raw.requests().length === 1);
        leave(client);
        await expectClosed(proxy);
      },
    );

    duty(
      `a client gone by ${how} in mid-upload: the upstream's connection closes within 100 ms`,
      async (lab) => {
        for (const bytes of [
          request("POST /", ["Content-Length: 100"], "hello"),
          request("POST /", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n"),
        ]) {
          const proxy = await lab.start(never);
          const client = await proxy.client();
          client.write(bytes);
          await until("a part", () => proxy.raw.connections[0]?.received().includes("hello") === true);
          leave(client);
          await expectClosed(proxy);
          expect(proxy.raw.requests()).toEqual([]);
        }
      },
    );

    duty(
      `a client gone by ${how} in mid-download: the upstream's connection closes within 100 ms`,
      async (lab) => {
        for (const head of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
          const proxy = await lab.start((connection) => {
            connection.onRequest(() => connection.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\nhello\r\n`));
          });
          const client = await proxy.client();
          client.write(get());
          await until("a part", () => client.received().includes("hello"));
          leave(client);
          await expectClosed(proxy);
        }
      },
    );

    duty(
      `a client gone by ${how} in mid-download of more than it reads: it closes within 100 ms`,
      async (lab) => {
        const proxy = await lab.start((connection) => {
          connection.onRequest(() => connection.write(Buffer.concat([Buffer.from(ok("")), flood])));
        });
        const client = await proxy.client();
        client.socket.pause();
        client.write(get());
        await until("the connection", () => proxy.raw.requests().length === 1);
        await settled(() => proxy.raw.connections[0]?.socket.writableLength ?? 0);
        client.socket.destroy();
        const took = await timeUntil("the end", () => proxy.openUpstream() === 0);
        expect(took).toBeLessThan(promptMs);
      },
    );

    duty(`a client gone by ${how} while its request is queued: it is never sent`, async (lab) => {
      const proxy = await lab.start(
        (connection) => {
          connection.onRequest(({ line }) => {
            if (!line.startsWith("GET /first")) connection.write(ok());
          });
        },
        { connections: 1 },
      );
      const first = await proxy.client();
      first.write(get("/first"));
      await until("the first", () => proxy.raw.requests().length === 1);
      const second = await proxy.client();
      second.write(get("/second"));
      await new Promise((resolve) => setTimeout(resolve, 20));
      leave(second);
      await until("the abort", () => second.closedBy() !== "open" || how === "a reset");
      await proxy.expectOutcomes({ client_aborted: 1 }).catch(() => {});
      proxy.raw.connections[0]?.write(ok("first"));
      expect((await first.response()).body.toString()).toBe("first");
      expect((await proxy.answerTo(get("/third"))).status).toBe(200);
      expect(proxy.raw.requests().map(({ line }) => line)).toEqual([
        "GET /first HTTP/1.1",
        "GET /third HTTP/1.1",
      ]);
      await proxy.expectOutcomes({ ok: 2, client_aborted: 1 });
    });
  }

  /** Sends until nothing moves any more. */
  const floodedBy = async (client: RawClient) => {
    client.write(request("POST /", [`Content-Length: ${flood.length}`]));
    client.write(flood);
    await settled(() => client.socket.bytesWritten - client.socket.writableLength);
  };
  duty(
    "a client gone while its upload is held back: the upstream's connection closes within 100 ms",
    async (lab) => {
      const proxy = await lab.start((connection) => void connection.socket.pause());
      const client = await proxy.client();
      await floodedBy(client);
      expect(proxy.openUpstream()).toBe(1);
      client.reset();
      // Its peer reads nothing, and so sees no end: it is the count that tells when, with the time it takes to ask.
      const isCounted = async () => (await proxy.outcomes()).client_aborted === 1;
      expect(await timeUntil("the count", isCounted, 5)).toBeLessThan(3 * promptMs);
      proxy.raw.connections[0]?.socket.resume();
      await until("the end", () => proxy.openUpstream() === 0);
      await proxy.expectOutcomes({ client_aborted: 1 });
    },
  );

  duty("a client gone while its upload waits in the queue is counted once, and never sent", async (lab) => {
    const proxy = await lab.start(never, { connections: 1 });
    const first = await proxy.client();
    first.write(get("/first"));
    await until("the first", () => proxy.raw.requests().length === 1);
    const client = await proxy.client();
    await floodedBy(client);
    client.reset();
    await expect.poll(proxy.outcomes).toEqual({ client_aborted: 1 });
    proxy.raw.connections[0]?.write(ok("first"));
    expect((await first.response()).body.toString()).toBe("first");
    await proxy.expectOutcomes({ ok: 1, client_aborted: 1 });
    expect(proxy.raw.requests()).toHaveLength(1);
  });

  duty("a client gone while the upstream is being connected to is counted once", async (lab) => {
    const full = await startFullListener();
    try {
      const proxy = await lab.start(never, { url: full.url.origin, timeouts: { connect: "5s" } });
      const client = await proxy.client();
      client.write(get());
      await new Promise((resolve) => setTimeout(resolve, 30));
      client.reset();
      await proxy.expectOutcomes({ client_aborted: 1 });
    } finally {
      full.close();
    }
  });
  duty("a client gone while its body is held for a key is counted once, and nothing is sent", async (lab) => {
    const cutover = { owners: [{ key: ["json:/order_id"] }] };
    const proxy = await lab.start(never, { cutover });
    const client = await proxy.client();
    client.write(request("POST /cart/1", ["Content-Length: 100"], '{"order_id":'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.reset();
    await proxy.expectOutcomes({ client_aborted: 1 });
    expect(proxy.raw.connections).toEqual([]);
  });
  duty("a client gone after its whole answer is not counted again", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const client = await proxy.client();
    client.write(get());
    await client.response();
    client.reset();
    expect((await proxy.answerTo(get())).status).toBe(200);
    await proxy.expectOutcomes({ ok: 2 });
  });
  duty("a client that connects and leaves is no request", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    for (let i = 0; i < 5; i++) (await proxy.client()).reset();
    expect((await proxy.answerTo(get())).status).toBe(200);
    await proxy.expectOutcomes({ ok: 1 });
  });
}

const flood = Buffer.alloc(64 * 1024 * 1024, "x");

function timeouts(duty: Duty): void {
  duty("nobody listens → 502, connect_failed (RFC 9209 §2.3.7)", async (lab) => {
    const proxy = await lab.start(never, { url: "http://127.0.0.1:1" });
    const answer = await proxy.answerTo(get());
    expect(answer.status).toBe(502);
    await proxy.expectOutcomes({ connect_failed: 1 });
  });
  duty("a connection that is not made in time → 502, connect_failed", async (lab) => {
    const full = await startFullListener();
    try {
      const proxy = await lab.start(never, { url: full.url.origin, timeouts: { connect: "100ms" } });
      expect((await proxy.answerTo(get())).status).toBe(502);
      await proxy.expectOutcomes({ connect_failed: 1 });
    } finally {
      full.close();
    }
  });
  duty(
    "a head that does not come in time → 504, timeout; the connection closes (RFC 9110 §15.6.5)",
    async (lab) => {
      const proxy = await lab.start(never, { timeouts: { headers: "100ms" } });
      for (const bytes of [get(), post("hello"), chunked("POST /", ["hello"])]) {
        expect((await proxy.answerTo(bytes)).status).toBe(504);
      }
      await until("the end of the connections", () => proxy.openUpstream() === 0, 1000);
      await proxy.expectOutcomes({ timeout: 3 });
    },
  );
  duty("an upload is not the upstream's silence: the time for the head begins after it", async (lab) => {
    const proxy = await lab.start(answering(ok()), { timeouts: { headers: "150ms", idle: "1s" } });
    const client = await proxy.client();
    client.write(request("POST /", ["Transfer-Encoding: chunked"]));
    for (let i = 0; i < 6; i++) {
      client.write("2\r\nxx\r\n");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    client.write("0\r\n\r\n");
    expect((await client.response()).status).toBe(200);
  });
  duty("a body that falls silent → abort, timeout, never a clean end (RFC 9112 §8)", async (lab) => {
    const proxy = await lab.start(
      (connection) => {
        connection.onRequest(() =>
          connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        );
      },
      { timeouts: { idle: "100ms" } },
    );
    const client = await proxy.client();
    client.write(get());
    await expect(client.response()).rejects.toThrow("the connection ended");
    expect(client.received().toString()).toContain("hello");
    await until("the end of the connection", () => proxy.openUpstream() === 0, 1000);
    await proxy.expectOutcomes({ timeout: 1 });
  });
  duty("a head, or the end of an upload, that takes too long in all → 504 or abort, timeout", async (lab) => {
    const drip: Script = (connection) => {
      connection.socket.once("data", () => {
        if (connection.received().includes("POST")) connection.write(dripped);
      });
    };
    const proxy = await lab.start(drip, { timeouts: { total: "150ms" } });
    expect((await proxy.answerTo(get("/wait"))).status).toBe(504);
    // The answer has begun, and the request never ends.
    const uploads = post("whole").replace("Length: 5", "Length: 6");
    await expect(proxy.answerTo(uploads)).rejects.toThrow("the connection ended");
    await until("the end of the connections", () => proxy.openUpstream() === 0, 1000);
    await proxy.expectOutcomes({ timeout: 2 });
  });
  duty("a stream of events that is well is not cut when the total time is over", async (lab) => {
    const proxy = await lab.start(events(20), { timeouts: { total: "150ms", idle: "2s" } });
    for (const bytes of [
      get("/cart/events"),
      post("whole", [], "/cart/events"),
      chunked("POST /", ["a", "b"]),
    ]) {
      const began = performance.now();
      const answer = await proxy.answerTo(bytes);
      expect(answer.body.toString()).toBe("x".repeat(20));
      expect(performance.now() - began).toBeGreaterThan(350);
    }
    await proxy.expectOutcomes({ ok: 3 });
  });
  duty("a long download that its client reads slowly is not cut when the total time is over", async (lab) => {
    const size = 8 << 20;
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`;
    const proxy = await lab.start(answering(Buffer.concat([Buffer.from(head), Buffer.alloc(size, "x")])), {
      timeouts: { total: "150ms" },
    });
    const client = await proxy.client();
    client.write(get("/download"));
    await until("its begin", () => client.received().length > 0);
    client.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 400));
    client.socket.resume();
    expect((await client.response()).body.length).toBe(size);
    await proxy.expectOutcomes({ ok: 1 });
  });
  duty("a stream that has had its lifetime is broken off, and its side has not failed", async (lab) => {
    const proxy = await lab.start(events(1000), { timeouts: { lifetime: "200ms" } });
    await expect(proxy.answerTo(get("/cart/events"))).rejects.toThrow("the connection ended");
    await until("the end of the connections", () => proxy.openUpstream() === 0, 1000);
    await proxy.expectOutcomes({ ok: 1 });
  });
}

/** Of a cutover whose route has times of its own, the upstream's being others. */
const timed = (timeouts: Readonly<Record<string, string>>) => ({
  cutover: {
    routes: [
      { name: "cart", path: "/cart/*", timeouts },
      { name: "other", path: "/other/*" },
    ],
  },
});

function routeTimeouts(duty: Duty): void {
  duty("a connection that is not made within the route's own time → 502, connect_failed", async (lab) => {
    const full = await startFullListener();
    try {
      const upstream = { timeouts: { connect: "1h" } };
      const proxy = await lab.start(never, {
        url: full.url.origin,
        upstream,
        ...timed({ connect: "100ms" }),
      });
      expect((await proxy.answerTo(get("/cart/1"))).status).toBe(502);
      await proxy.expectOutcomes({ connect_failed: 1 });
    } finally {
      full.close();
    }
  });
  duty("a connection may take longer than the upstream's time where its route says so", async (lab) => {
    const full = await startFullListener();
    try {
      const upstream = { timeouts: { connect: "50ms" } };
      const proxy = await lab.start(never, {
        url: full.url.origin,
        upstream,
        ...timed({ connect: "300ms" }),
      });
      const began = performance.now();
      expect((await proxy.answerTo(get("/cart/1"))).status).toBe(502);
      expect(performance.now() - began).toBeGreaterThan(250);
    } finally {
      full.close();
    }
  });
  duty(
    "a head that does not come within the route's own time → 504; another route goes on to wait",
    async (lab) => {
      const late: Script = (connection) => {
        connection.onRequest(() => void setTimeout(() => connection.write(ok()), 250));
      };
      const proxy = await lab.start(late, timed({ headers: "100ms" }));
      const [own, other, none] = await Promise.all(
        ["/cart/1", "/other/1", "/none"].map((target) => proxy.answerTo(get(target))),
      );
      expect([own?.status, other?.status, none?.status]).toEqual([504, 200, 200]);
      await proxy.expectOutcomes({ timeout: 1, ok: 2 });
    },
  );
  duty("a route may wait for longer than its upstream's other requests", async (lab) => {
    const late: Script = (connection) => {
      connection.onRequest(() => void setTimeout(() => connection.write(ok()), 250));
    };
    const proxy = await lab.start(late, { timeouts: { headers: "100ms" }, ...timed({ headers: "5s" }) });
    const [own, other] = await Promise.all(
      ["/cart/1", "/other/1"].map((target) => proxy.answerTo(get(target))),
    );
    expect([own?.status, other?.status]).toEqual([200, 504]);
  });
  duty(
    "a body that falls silent for the route's own time → abort; a lifetime of its own ends a stream",
    async (lab) => {
      const silent: Script = (connection) => {
        connection.onRequest(() => connection.write(dripped));
      };
      const idle = await lab.start(silent, timed({ idle: "100ms" }));
      await expect(idle.answerTo(get("/cart/1"))).rejects.toThrow("the connection ended");
      await idle.expectOutcomes({ timeout: 1 });
      const lived = await lab.start(events(1000), timed({ lifetime: "100ms" }));
      await expect(lived.answerTo(get("/cart/1"))).rejects.toThrow("the connection ended");
      await lived.expectOutcomes({ ok: 1 });
    },
  );
  duty(
    "a head that takes longer than the route's own total → 504; a buffered body counts from its arrival",
    async (lab) => {
      const proxy = await lab.start(never, timed({ total: "100ms" }));
      expect((await proxy.answerTo(get("/cart/1"))).status).toBe(504);
      const buffered = await lab.start(never, {
        cutover: { ...timed({ total: "100ms" }).cutover, owners: [{ key: ["json:/order_id"] }] },
      });
      const slow = request("POST /cart/1", ["Content-Length: 100"], "{");
      expect((await buffered.answerTo(slow)).status).toBe(408);
      expect(buffered.raw.connections).toEqual([]);
    },
  );
}

const dripped = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";

/** Answers with so many octets, each 20 ms after the one before. */
const events =
  (count: number): Script =>
  (connection) => {
    connection.onRequest(() => {
      connection.write(dripped);
      let sent = 1;
      const timer = setInterval(() => {
        sent += 1;
        connection.write("1\r\nx\r\n");
        if (sent === count) connection.write("0\r\n\r\n");
        if (sent >= count || connection.closedBy() !== "open") clearInterval(timer);
      }, 20);
      connection.socket.on("close", () => clearInterval(timer));
    });
  };

/** Answers the first request of a connection, and does to the second what is said. */
const dyingAfterOne =
  (die: (connection: RawConnection) => void): Script =>
  (connection) => {
    let count = 0;
    connection.onRequest(() => {
      count += 1;
      if (count === 1) connection.write(ok(`first of ${connection.socket.remotePort}`));
      else die(connection);
    });
  };

function stale(duty: Duty): void {
  const deaths = {
    "an end": (connection: RawConnection) => void connection.socket.end(),
    "a reset": (connection: RawConnection) => connection.reset(),
  };
  for (const [how, die] of Object.entries(deaths)) {
    for (const method of ["GET", "HEAD", "OPTIONS", "DELETE", "PUT"]) {
      duty(
        `a kept connection that dies by ${how} under ${method} without a body: one retry on a fresh one (RFC 9110 §9.2.2)`,
        async (lab) => {
          const proxy = await lab.start(dyingAfterOne(die));
          const client = await proxy.client();
          client.write(get());
          await client.response();
          client.write(request(`${method} /again`));
          expect((await client.response(method)).status).toBe(200);
          expect(proxy.raw.connections).toHaveLength(2);
          expect(proxy.raw.requests().filter(({ line }) => line.includes("/again"))).toHaveLength(2);
          await proxy.expectOutcomes({ ok: 2 });
        },
      );
    }
    for (const [what, bytes] of [
      ["POST", post("", [], "/again")],
      ["POST without framing", request("POST /again")],
      ["PATCH", request("PATCH /again")],
      ["a method nobody knows the meaning of", request("LINK /again")],
      ["PUT with a body", request("PUT /again", ["Content-Length: 5"], "hello")],
      ["DELETE with chunks", chunked("DELETE /again", ["hello"])],
    ] as const) {
      duty(
        `a kept connection that dies by ${how} under ${what}: 502 and no retry (RFC 9110 §9.2.2)`,
        async (lab) => {
          const proxy = await lab.start(dyingAfterOne(die));
          const client = await proxy.client();
          client.write(get());
          await client.response();
          client.write(bytes);
          expect((await client.response()).status).toBe(502);
          expect(proxy.raw.requests().filter(({ line }) => line.includes("/again"))).toHaveLength(1);
          await proxy.expectOutcomes({ ok: 1, reset: 1 });
        },
      );
    }
    duty(`a fresh connection that dies by ${how} is not retried`, async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(() => die(connection));
      });
      expect((await proxy.answerTo(get())).status).toBe(502);
      expect(proxy.raw.requests()).toHaveLength(1);
      await proxy.expectOutcomes({ reset: 1 });
    });
    duty(`a retry that dies by ${how} too is the last`, async (lab) => {
      let answered = false;
      const proxy = await lab.start((connection) => {
        connection.onRequest(() => {
          if (answered) return die(connection);
          answered = true;
          connection.write(ok());
        });
      });
      const client = await proxy.client();
      client.write(get());
      await client.response();
      client.write(get("/again"));
      expect((await client.response()).status).toBe(502);
      expect(proxy.raw.requests().filter(({ line }) => line.includes("/again"))).toHaveLength(2);
      await proxy.expectOutcomes({ ok: 1, reset: 1 });
    });
  }
  for (const first of [
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "HTTP/1.1 103 Early Hints\r\n\r\n",
    "HTTP",
  ]) {
    duty(`no retry once a byte of an answer came: ${JSON.stringify(first)}`, async (lab) => {
      const proxy = await lab.start(
        dyingAfterOne((connection) => {
          connection.write(first);
          connection.socket.end();
        }),
      );
      const client = await proxy.client();
      client.write(get());
      await client.response();
      client.write(get("/again"));
      await client.response().catch(() => {});
      expect(proxy.raw.requests().filter(({ line }) => line.includes("/again"))).toHaveLength(1);
    });
  }
  duty("no retry of what timed out", async (lab) => {
    const proxy = await lab.start(
      dyingAfterOne(() => {}),
      { timeouts: { headers: "100ms" } },
    );
    const client = await proxy.client();
    client.write(get());
    await client.response();
    client.write(get("/again"));
    expect((await client.response()).status).toBe(504);
    expect(proxy.raw.requests().filter(({ line }) => line.includes("/again"))).toHaveLength(1);
    await proxy.expectOutcomes({ ok: 1, timeout: 1 });
  });
  duty(
    "a kept connection the upstream closed while idle is noticed before it is used, even by POST",
    async (lab) => {
      const proxy = await lab.start((connection) => {
        connection.onRequest(() => connection.write(ok()));
      });
      const client = await proxy.client();
      client.write(get());
      await client.response();
      proxy.raw.connections[0]?.socket.end();
      await until("the end of the connection", () => proxy.openUpstream() === 0, 1000);
      client.write(post("pay"));
      expect((await client.response()).status).toBe(200);
      await proxy.expectOutcomes({ ok: 2 });
    },
  );
}

function steady(duty: Duty): void {
  const manyRequests = process.env.CUTOVER_BARS === "full" ? 10_000 : 2000;
  duty(`no listener is left behind over ${manyRequests} requests of one connection`, async (lab) => {
    const warnings: string[] = [];
    const warned = (warning: Error) => warnings.push(warning.message);
    process.on("warning", warned);
    try {
      const proxy = await lab.start(answering(ok()), { connections: 1 });
      const client = await proxy.client();
      const batch = 50;
      for (let sent = 0; sent < manyRequests; sent += batch) {
        client.write((sent % 200 === 0 ? post("x") : get()).repeat(batch));
        for (let i = 0; i < batch; i++) await client.response();
      }
      expect(proxy.raw.connections).toHaveLength(1);
      expect(warnings).toEqual([]);
      await proxy.expectOutcomes({ ok: manyRequests });
    } finally {
      process.off("warning", warned);
    }
  });

  const boundMiB = 16;
  duty("a slow reader holds the upstream back: memory stays bounded", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.onRequest(() => {
        connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${flood.length}\r\n\r\n`);
        connection.write(flood);
      });
    });
    const client = await proxy.client();
    client.socket.pause();
    client.write(get());
    await until("the request", () => proxy.raw.requests().length === 1);
    const upstream = proxy.raw.connections[0]?.socket;
    // What has left the upstream is in the kernel's buffers or in the proxy.
    const left = await settled(() => (upstream?.bytesWritten ?? 0) - (upstream?.writableLength ?? 0));
    expect(left).toBeLessThan(boundMiB * 1024 * 1024);
    client.socket.resume();
    await until("the rest", () => client.socket.bytesRead > flood.length, 15_000);
    expect((await client.response()).body.equals(flood)).toBe(true);
    await proxy.expectOutcomes({ ok: 1 });
  });
  duty("a slow upstream holds the client back: memory stays bounded", async (lab) => {
    const proxy = await lab.start((connection) => {
      connection.socket.pause();
    });
    const client = await proxy.client();
    client.write(request("POST /", [`Content-Length: ${flood.length}`]));
    client.write(flood);
    await until("the connection", () => proxy.raw.connections.length === 1);
    const left = await settled(() => client.socket.bytesWritten - client.socket.writableLength);
    expect(left).toBeLessThan(boundMiB * 1024 * 1024);
    proxy.raw.connections[0]?.reset();
    await proxy.expectOutcomes({ reset: 1 });
  });
}

duties("the life of an exchange", (duty) => {
  aborts(duty);
  timeouts(duty);
  routeTimeouts(duty);
  stale(duty);
  steady(duty);
});

duties("a kept connection of a client", (duty) => {
  duty("a kept connection is idle for as long as is configured", async (lab) => {
    const proxy = await lab.start(answering(ok()), { idle: "500ms" });
    const client = await proxy.client();
    client.write(get());
    expect((await client.response()).status).toBe(200);
    await client.changed(250);
    expect(client.closedBy()).toBe("open");
    // Some versions of Node add a second of their own.
    await until("the end of the connection", () => client.closedBy() !== "open", 5000);
    expect(client.closedBy()).toBe("fin");
  });
});
