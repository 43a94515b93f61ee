/** What the proxy does not take: bodies too large or too slow, connections and requests too many. */
import { createServer } from "node:http";
import { connect } from "node:net";
import { expect } from "vitest";
import { answering, type RawConnection, valuesOf } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import { duties, get, ok, post, request } from "./lab.ts";

const inChunks = (octets: number) => `${octets.toString(16)}\r\n${"x".repeat(octets)}\r\n`;

duties("limits of a request's body", (duty) => {
  duty("one declared larger is refused with 413 and forwarded nowhere (RFC 9110 §15.5.14)", async (lab) => {
    const { client, raw, expectOutcomes } = await lab.start(answering(ok()), { limits: { body: "1KiB" } });
    const { write, response, closed } = await client();
    write(request("POST /", ["Content-Length: 1025"]));
    const answer = await response("POST");
    expect(answer).toMatchObject({ status: 413, reason: "Content Too Large" });
    expect(valuesOf(answer.fields, "connection")).toEqual(["close"]);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      status: 413,
      code: "body_too_large",
      outcome: "rejected",
    });
    expect(await closed()).toBe("fin");
    expect(raw.connections).toHaveLength(0);
    await expectOutcomes({ rejected: 1 });
  });

  duty("one as large as it may be is forwarded whole, sized and chunked", async (lab) => {
    const { answerTo, raw } = await lab.start(answering(ok()), { limits: { body: "1KiB" } });
    expect((await answerTo(post("x".repeat(1024)))).status).toBe(200);
    const whole = request(
      "POST /",
      ["Transfer-Encoding: chunked"],
      `${inChunks(1000)}${inChunks(24)}0\r\n\r\n`,
    );
    expect((await answerTo(whole)).status).toBe(200);
    expect(raw.requests().map(({ body }) => body.length)).toEqual([1024, 1024]);
  });

  duty(
    "a chunked one that turns out larger is cut off: 413, and never a whole request upstream",
    async (lab) => {
      const { client, raw, expectOutcomes, openUpstream } = await lab.start(answering(ok()), {
        limits: { body: "1KiB" },
      });
      const { write, response, closed } = await client();
      write(request("POST /", ["Transfer-Encoding: chunked"], inChunks(1000)));
      await until("the first chunk upstream", () => (raw.connections[0]?.received().length ?? 0) > 1000);
      write(inChunks(25));
      const answer = await response("POST");
      expect(answer.status).toBe(413);
      expect(valuesOf(answer.fields, "connection")).toEqual(["close"]);
      await until("the upstream's connection to close", () => openUpstream() === 0);
      expect(raw.requests()).toEqual([]);
      expect(await closed()).toBe("fin");
      await expectOutcomes({ rejected: 1 });
    },
  );

  duty(
    "a client in the middle of sending reads the answer before its connection ends (RFC 9112 §9.6)",
    async (lab) => {
      const { url } = await lab.start(answering(ok()), { limits: { body: "1KiB" } });
      const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
      let received = "";
      let reset = false;
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1");
      });
      socket.on("error", () => {
        reset = true;
      });
      const piece = Buffer.alloc(65_536, "x");
      socket.write(request("POST /", [`Content-Length: ${200 * piece.length}`]));
      // It sends all it has before it looks at what came.
      for (let i = 0; i < 200; i++) socket.write(piece);
      socket.pause();
      await until("all to be sent", () => socket.writableLength === 0 || reset);
      socket.resume();
      await until("the answer", () => received.includes("rejected") || socket.destroyed);
      expect(received).toMatch(/^HTTP\/1\.1 413 /);
      socket.destroy();
    },
  );

  duty("a client that waits for 100 (Continue) is refused without one (RFC 9110 §10.1.1)", async (lab) => {
    const { answerTo } = await lab.start(answering(ok()), { limits: { body: "1KiB" } });
    const answer = await answerTo(
      request("POST /", ["Content-Length: 2000", "Expect: 100-continue"]),
      "POST",
    );
    expect([answer.status, answer.interims]).toEqual([413, []]);
  });

  duty(
    "a client that waits for 100 (Continue) with a chunked body is asked for it, and held to the limit",
    async (lab) => {
      const { client } = await lab.start(answering(ok()), { limits: { body: "1KiB" } });
      const { write, response, received } = await client();
      write(request("POST /", ["Transfer-Encoding: chunked", "Expect: 100-continue"]));
      await until("100 (Continue)", () => received().toString().startsWith("HTTP/1.1 100 "));
      write(inChunks(1025));
      expect((await response("POST")).status).toBe(413);
    },
  );

  for (const [how, drip] of [
    ["stops", ""],
    ["drips", "x"],
  ] as const) {
    duty(
      `a client that ${how} in the middle of its body gets 408 and its upstream is let go`,
      async (lab) => {
        const { client, raw, expectOutcomes, openUpstream } = await lab.start(answering(ok()), {
          limits: { pace: "80ms" },
        });
        const { write, response, closed } = await client();
        write(request("POST /", ["Content-Length: 100000"], "begun"));
        await until(
          "the body to begin upstream",
          () => raw.connections[0]?.received().includes("begun") === true,
        );
        const dripping = setInterval(() => drip !== "" && write(drip), 10);
        const answer = await response("POST").finally(() => clearInterval(dripping));
        expect(answer.status).toBe(408);
        await until("the upstream's connection to close", () => openUpstream() === 0);
        await closed();
        await expectOutcomes({ rejected: 1 });
      },
    );
  }

  duty("a slow upstream is not its client's fault", async (lab) => {
    const { client, raw } = await lab.start((connection) => connection.socket.pause(), {
      limits: { pace: "50ms" },
    });
    const { write, response, closedBy } = await client();
    const body = "x".repeat(8_000_000);
    write(post(body));
    await until("the upstream to be connected", () => raw.connections.length === 1);
    // As long as a client may be slow that is at fault itself.
    const slow = await client();
    slow.write(request("POST /", ["Content-Length: 100000"], "begun"));
    expect((await slow.response("POST")).status).toBe(408);
    expect(closedBy()).toBe("open");
    raw.connections[0]?.onRequest(() => raw.connections[0]?.write(ok()));
    raw.connections[0]?.socket.resume();
    expect((await response("POST")).status).toBe(200);
  });
});

duties("limits of connections", (duty) => {
  duty(
    "those above the limit are closed at once and counted, the others live, and each one closed makes room",
    async (lab) => {
      const { client, metric } = await lab.start(answering(ok()), { limits: { connections: 2 } });
      const first = await client();
      const second = await client();
      for (const { write, response } of [first, second]) {
        write(get());
        expect((await response()).status).toBe(200);
      }
      for (let i = 0; i < 3; i++) await (await client()).closed();
      expect(await metric("cutover_client_connections_refused_total")).toEqual({ "": 3 });
      expect(await metric("cutover_client_connections")).toEqual({ "": 2 });
      second.write(get());
      expect((await second.response()).status).toBe(200);
      first.socket.destroy();
      await until("room", () => first.socket.closed);
      let answered = false;
      while (!answered) {
        const third = await client();
        third.write(get());
        answered = await third.response().then(
          ({ status }) => status === 200,
          () => false,
        );
      }
    },
  );
});

/** Answers in the order asked for by the test. */
function held() {
  const waiting: RawConnection[] = [];
  return {
    script: (connection: RawConnection) => connection.onRequest(() => waiting.push(connection)),
    waiting,
    answer: () => waiting.shift()?.write(ok()),
  };
}

duties("limits of an upstream's requests", (duty) => {
  const gate = { concurrency: { max: 2, queue: 1, wait: "10s" } };

  duty("those above it wait in turn, those above the queue get 503 and Retry-After at once", async (lab) => {
    const { script, waiting, answer } = held();
    const { client, raw, metric, expectOutcomes } = await lab.start(script, { upstream: gate });
    const clients = await Promise.all([client(), client(), client()]);
    for (const [place, { write }] of clients.entries()) {
      write(get(`/${place}`));
      if (place < 2) await until("the request upstream", () => waiting.length === place + 1);
    }
    while ((await metric("cutover_upstream_queued_requests"))['upstream="shop"'] !== 1);
    const fourth = await client();
    fourth.write(get("/3"));
    const refused = await fourth.response();
    expect(refused.status).toBe(503);
    expect(valuesOf(refused.fields, "retry-after")).toEqual(["1"]);
    expect(valuesOf(refused.fields, "proxy-status")[0]).toMatch(/; error=connection_limit_reached$/);
    expect(valuesOf(refused.fields, "connection")).not.toContain("close");
    expect(raw.requests()).toHaveLength(2);
    answer();
    await until("the third upstream", () => raw.requests().length === 3);
    answer();
    answer();
    for (const { response } of clients) expect((await response()).status).toBe(200);
    await expectOutcomes({ ok: 3, shed: 1 });
    expect(await metric("cutover_upstream_inflight_requests")).toMatchObject({ 'upstream="shop"': 0 });
    expect(await metric("cutover_upstream_shed_total")).toMatchObject({
      'upstream="shop",reason="queue_full"': 1,
      'upstream="shop",reason="queue_timeout"': 0,
    });
  });

  duty("a request waits no longer than it may", async (lab) => {
    const { script, waiting } = held();
    const { client, metric, raw } = await lab.start(script, {
      upstream: { concurrency: { max: 1, queue: 5, wait: "60ms" } },
    });
    const first = await client();
    first.write(get("/0"));
    await until("the request upstream", () => waiting.length === 1);
    const second = await client();
    second.write(post("body"));
    const refused = await second.response("POST");
    expect(refused.status).toBe(503);
    expect(raw.requests()).toHaveLength(1);
    expect(await metric("cutover_upstream_shed_total")).toMatchObject({
      'upstream="shop",reason="queue_timeout"': 1,
    });
  });

  duty("a client that leaves the queue is never sent, and its place goes to the next", async (lab) => {
    const { script, waiting, answer } = held();
    const { client, raw, metric, expectOutcomes } = await lab.start(script, {
      upstream: { concurrency: { max: 1, queue: 1, wait: "10s" } },
    });
    const queued = async () => (await metric("cutover_upstream_queued_requests"))['upstream="shop"'];
    const first = await client();
    first.write(get("/0"));
    await until("the request upstream", () => waiting.length === 1);
    const second = await client();
    second.write(get("/1"));
    while ((await queued()) !== 1);
    second.socket.destroy();
    while ((await queued()) !== 0);
    const third = await client();
    third.write(get("/2"));
    while ((await queued()) !== 1);
    answer();
    await until("the third upstream", () => raw.requests().length === 2);
    answer();
    expect((await third.response()).status).toBe(200);
    expect(raw.requests().map(({ line }) => line.split(" ")[1])).toEqual(["/0", "/2"]);
    await expectOutcomes({ ok: 2, client_aborted: 1 });
  });
});

duties("a breaker", (duty) => {
  duty("opens by connects that fail, answers 503 at once, and closes by one that is made", async (lab) => {
    const gone = await lab.start(answering(ok()));
    const { port } = gone.raw.url;
    await gone.raw.close();
    const { answerTo, metric, expectOutcomes } = await lab.start(answering(ok()), {
      url: `http://127.0.0.1:${port}`,
      upstream: { breaker: { failures: 2, open: "150ms" } },
    });
    const state = async () =>
      Object.entries(await metric("cutover_upstream_breaker_state")).flatMap(([labels, value]) => {
        return value === 1 && labels.includes('"shop"') ? [/state="(\w+)"/.exec(labels)?.[1]] : [];
      });
    expect(await state()).toEqual(["closed"]);
    for (let i = 0; i < 2; i++) expect((await answerTo(get())).status).toBe(502);
    expect(await state()).toEqual(["open"]);
    const refused = await answerTo(get());
    expect(refused.status).toBe(503);
    expect(valuesOf(refused.fields, "retry-after")).toEqual(["1"]);
    expect(valuesOf(refused.fields, "proxy-status")[0]).toMatch(/; error=destination_unavailable$/);
    await expectOutcomes({ connect_failed: 3 });
    const server = createServer((_, response) => void response.end("back")).listen(Number(port), "127.0.0.1");
    let answer = await answerTo(get());
    while (answer.status === 503) answer = await answerTo(get());
    expect(answer.status).toBe(200);
    expect(await state()).toEqual(["closed"]);
    server.close();
    server.closeAllConnections();
  });
});
