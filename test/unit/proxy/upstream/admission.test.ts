import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../../src/base/clock.ts";
import type { Answer, RequestHead } from "../../../../src/proxy/inbound.ts";
import { noTaps, relay, type Tap } from "../../../../src/proxy/relay/relay.ts";
import { createAdmission } from "../../../../src/proxy/upstream/admission.ts";
import { createBreaker } from "../../../../src/proxy/upstream/breaker.ts";
import type { Failure, ForwardRequest, ResponseSink, Upstream } from "../../../../src/proxy/upstream/port.ts";
import { createSlots } from "../../../../src/proxy/upstream/slots.ts";
import { turn } from "../../../support/until.ts";
import { plainMarking, relayContext } from "../../../support/ways.ts";

interface Attempt {
  readonly target: string;
  readonly sink: ResponseSink;
  aborted: boolean;
  resumed: number;
}

const refused: Failure = { outcome: "connect_failed", sent: false, code: "ECONNREFUSED" };
const requestHead: RequestHead = {
  method: "GET",
  target: "/",
  fields: [],
  version: "1.1",
  framing: { kind: "none" },
  peer: { address: "192.0.2.1", encrypted: false },
};

/** Requests that are relayed to an upstream of one slot and one place to wait, which the test plays. */
function createFixture(limits: { max?: number; queue?: number } = {}) {
  const attempts: Attempt[] = [];
  const engine: Upstream = {
    name: "shop",
    forward({ target }, sink) {
      const attempt: Attempt = { target, sink, aborted: false, resumed: 0 };
      attempts.push(attempt);
      return {
        resume: () => {
          attempt.resumed += 1;
        },
        abort: () => {
          attempt.aborted = true;
        },
      };
    },
    close: async () => {},
  };
  const slots = createSlots({ max: 1, queue: 1, waitMs: 1000, ...limits });
  const breaker = createBreaker({ failures: 2, openMs: 5000, probes: 1, clock: systemClock });
  const shed: string[] = [];
  const onRepeated = () => shed.push("repeated");
  const admission = createAdmission({ slots, breaker, onShed: (reason) => shed.push(reason), onRepeated });
  const way = { admission, engine, upgrades: engine };
  /** @param client of a change of protocol; without one it has left */
  const send = (target: string, client?: PassThrough, taps: readonly Tap[] = noTaps) => {
    const heard: string[] = [];
    const failures: Failure[] = [];
    const request: ForwardRequest = { method: "GET", target, fields: [], body: { kind: "none" } };
    const answer: Answer = {
      headSent: () => false,
      interim: (status) => heard.push(`interim ${status}`),
      head: ({ status }) => heard.push(`head ${status}`),
      write(chunk) {
        heard.push(`data ${chunk.toString()}`);
        return false;
      },
      end: () => heard.push("end"),
      switchProtocols: () => client && { stream: client, first: Buffer.alloc(0) },
      abort: () => {},
      onDrain: () => {},
      onGone: () => {},
    };
    const forwarding = relay(
      relayContext,
      { way, marking: plainMarking },
      request,
      { head: requestHead, answer },
      {
        answered: () => [],
        ended: () => {},
        switched: () => (end) => heard.push(`tunnel ${end}`),
        misbehaved: () => {},
        failed(failure) {
          heard.push("failure");
          failures.push(failure);
        },
      },
      taps,
    );
    return { forwarding, heard, failures };
  };
  const answer = (place: number, status = 200) => {
    attempts[place]?.sink.head({ status, reason: "", fields: [] });
    attempts[place]?.sink.end([]);
  };
  return { attempts, slots, breaker, shed, admission, send, answer };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

describe("a request that is let in", () => {
  test("hears all the engine says, in its order, and is not asked twice for more", () => {
    const { attempts, send } = createFixture();
    const { heard, forwarding } = send("/a");
    const [attempt] = attempts;
    attempt?.sink.interim({ status: 103, reason: "", fields: [] });
    attempt?.sink.head({ status: 200, reason: "", fields: [] });
    expect(attempt?.sink.data(Buffer.from("x"))).toBe(false);
    forwarding.resume();
    attempt?.sink.end([]);
    expect(heard).toEqual(["interim 103", "head 200", "data x", "end"]);
    expect(attempt?.resumed).toBe(1);
  });

  test.each([
    ["its end", (sink: ResponseSink) => sink.end([])],
    ["its failure", (sink: ResponseSink) => sink.failure({ outcome: "reset", sent: true, code: "X" })],
  ])("gives its slot to the next at %s, once", (_, finish) => {
    const { attempts, send, slots } = createFixture();
    send("/a");
    const second = send("/b");
    expect(attempts).toHaveLength(1);
    const [first] = attempts;
    if (first !== undefined) finish(first.sink);
    expect(attempts.map(({ target }) => target)).toEqual(["/a", "/b"]);
    second.forwarding.abort();
    second.forwarding.abort();
    expect(attempts[1]?.aborted).toBe(true);
    expect([slots.taken, slots.queued]).toEqual([0, 0]);
  });
});

describe("a connection whose protocol was changed", () => {
  const head = { status: 101, reason: "", fields: [] };
  const limits = { idleMs: 5, lifetimeMs: 6 };

  test("is its caller's, has no slot any more, and tells the breaker of the connect", async () => {
    const { attempts, slots, breaker, send } = createFixture();
    send("/a");
    attempts[0]?.sink.failure(refused);
    const client = new PassThrough();
    const stream = new PassThrough();
    const { heard } = send("/ws", client);
    attempts[1]?.sink.switched?.(head, { stream, first: Buffer.alloc(0) }, limits);
    expect(slots.taken).toBe(0);
    expect(stream.destroyed).toBe(false);
    send("/b");
    attempts[2]?.sink.failure(refused);
    expect(breaker.state).toBe("closed");
    await vi.advanceTimersByTimeAsync(limits.idleMs);
    for (const end of [client, stream]) end.resume();
    await turn();
    expect(heard).toEqual(["tunnel idle"]);
  });

  test("is closed when nobody is there any more for whom it was asked", () => {
    const { attempts, send, slots } = createFixture();
    send("/ws");
    const stream = new PassThrough();
    attempts[0]?.sink.switched?.(head, { stream, first: Buffer.alloc(0) }, limits);
    expect(stream.destroyed).toBe(true);
    expect(slots.taken).toBe(0);
  });
});

describe("a request that waits", () => {
  test("is shed when the queue is full, after the call, having sent nothing", async () => {
    const { attempts, send, shed } = createFixture();
    send("/a");
    send("/b");
    const third = send("/c");
    expect(third.heard).toEqual([]);
    await turn();
    expect(third.failures).toEqual([
      { outcome: "shed", sent: false, code: "ERR_UPSTREAM_OVERLOADED", retryAfterSeconds: 1 },
    ]);
    expect(shed).toEqual(["queue_full"]);
    expect(attempts).toHaveLength(1);
  });

  test("is shed when it waited as long as one may", async () => {
    const { send, shed, answer, attempts } = createFixture();
    send("/a");
    const second = send("/b");
    await vi.advanceTimersByTimeAsync(1000);
    expect(second.failures).toMatchObject([{ outcome: "shed", sent: false }]);
    expect(shed).toEqual(["queue_timeout"]);
    answer(0);
    expect(attempts).toHaveLength(1);
  });

  test("leaves the queue when its client does, and is never sent", async () => {
    const { send, attempts, answer, slots } = createFixture();
    send("/a");
    const second = send("/b");
    second.forwarding.abort();
    expect(slots.queued).toBe(0);
    answer(0);
    await turn();
    expect(attempts).toHaveLength(1);
    expect(second.heard).toEqual([]);
  });

  test("hears nothing when it is given up before it was told that it is shed", async () => {
    const { send, shed } = createFixture({ queue: 0 });
    send("/a");
    const second = send("/b");
    second.forwarding.abort();
    await turn();
    expect([second.heard, shed]).toEqual([[], []]);
  });

  test("is waited for by whoever closes the upstream, until it is let in", async () => {
    const { send, admission, answer } = createFixture();
    send("/a");
    send("/b");
    let isEmpty = false;
    const unqueued = admission.unqueued().then(() => {
      isEmpty = true;
    });
    await turn();
    expect(isEmpty).toBe(false);
    answer(0);
    await unqueued;
  });
});

describe("the breaker of an admission", () => {
  test("opens by connects that failed and turns away at once, to come again when it is tried next", async () => {
    const { send, attempts, breaker, shed, slots } = createFixture();
    for (const place of [0, 1]) {
      send("/a");
      attempts[place]?.sink.failure(refused);
    }
    expect(breaker.state).toBe("open");
    await vi.advanceTimersByTimeAsync(1500);
    const third = send("/b");
    await turn();
    expect(attempts).toHaveLength(2);
    expect(third.failures).toEqual([
      { outcome: "connect_failed", sent: false, code: "ERR_BREAKER_OPEN", retryAfterSeconds: 4 },
    ]);
    expect(shed).toEqual(["breaker_open"]);
    expect(slots.taken).toBe(0);
  });

  test("turns away those who waited when it opens, however many, and gives all slots back", async () => {
    const { send, attempts, shed, slots } = createFixture({ queue: 20_000 });
    const all = Array.from({ length: 20_000 }, () => send("/a"));
    attempts[0]?.sink.failure(refused);
    attempts[1]?.sink.failure(refused);
    await turn();
    expect(attempts).toHaveLength(2);
    expect(all.every(({ failures }) => failures.length === 1)).toBe(true);
    expect(shed).toHaveLength(19_998);
    expect([slots.taken, slots.queued]).toEqual([0, 0]);
  });

  test.each<Failure>([
    { outcome: "reset", sent: true, code: "ECONNRESET" },
    { outcome: "timeout", sent: true, code: "ERR_HEADERS_TIMEOUT" },
    { outcome: "timeout", sent: false, code: "ERR_HEADERS_TIMEOUT" },
    { outcome: "protocol_error", sent: false, code: "UND_ERR_INVALID_ARG" },
    { outcome: "reset", sent: false, code: "ERR_REQUEST_BODY" },
    { outcome: "connect_failed", sent: false, code: "ERR_UPSTREAM_CLOSED" },
  ])("does not count $code, sent: $sent", (failure) => {
    const { send, attempts, breaker } = createFixture();
    for (const place of [0, 1, 2]) {
      send("/a");
      attempts[place]?.sink.failure(failure);
    }
    expect(breaker.state).toBe("closed");
  });

  test("hears nothing of the connect in a kept connection that was dead: the count goes on", () => {
    const { send, attempts, breaker } = createFixture();
    const failures: Failure[] = [
      refused,
      { outcome: "reset", sent: true, code: "ECONNRESET", stale: true },
      refused,
    ];
    for (const [place, failure] of failures.entries()) {
      send("/a");
      attempts[place]?.sink.failure(failure);
    }
    expect(breaker.state).toBe("open");
  });

  test("tries one request at a time once its time is over, and closes with the first head", async () => {
    const { send, attempts, breaker } = createFixture({ max: 5 });
    for (const place of [0, 1]) {
      send("/a");
      attempts[place]?.sink.failure(refused);
    }
    await vi.advanceTimersByTimeAsync(5000);
    send("/probe");
    const meanwhile = send("/b");
    await turn();
    expect(meanwhile.failures).toMatchObject([{ code: "ERR_BREAKER_OPEN" }]);
    attempts[2]?.sink.head({ status: 503, reason: "", fields: [] });
    expect(breaker.state).toBe("closed");
    send("/c");
    expect(attempts).toHaveLength(4);
  });

  test("hears of the connect with the first head, and the slot is free with the end, whatever a tap holds back", () => {
    const { send, attempts, breaker, slots } = createFixture();
    send("/a");
    attempts[0]?.sink.failure(refused);
    const silent: Tap = () => ({
      interim: () => {},
      head: () => {},
      data: () => true,
      end: () => {},
      failure: () => {},
    });
    const { heard } = send("/b", undefined, [silent]);
    attempts[1]?.sink.head({ status: 200, reason: "", fields: [] });
    attempts[1]?.sink.end([]);
    expect([heard, slots.taken]).toEqual([[], 0]);
    send("/c");
    attempts[2]?.sink.failure(refused);
    expect(breaker.state).toBe("closed");
  });

  test("tries another when the client of its probe leaves", async () => {
    const { send, attempts, breaker } = createFixture();
    for (const place of [0, 1]) {
      send("/a");
      attempts[place]?.sink.failure(refused);
    }
    await vi.advanceTimersByTimeAsync(5000);
    send("/probe").forwarding.abort();
    send("/again");
    expect(attempts.map(({ target }) => target)).toEqual(["/a", "/a", "/probe", "/again"]);
    attempts[3]?.sink.end([]);
    expect(breaker.state).toBe("closed");
  });
});
