/** Calls of scripts, against a client that answers as it is told. */
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { createCaller, deadlineOf, type Script, sendCalls, valuesOf } from "../../../src/redis/calls.ts";
import type { RedisClient, Sent } from "../../../src/redis/client.ts";
import type { RedisCommand } from "../../../src/redis/connection.ts";

const script: Script = { source: "return 1", sha1: "5a1" };
const value = (found: unknown): Sent => ({ kind: "answered", replies: [{ ok: true, value: found }] });
const error = (code: string): Sent => ({ kind: "answered", replies: [{ ok: false, code }] });

function answering(...answers: readonly Sent[]) {
  const left = [...answers];
  const sent: (readonly RedisCommand[])[] = [];
  const client: RedisClient = {
    async send(commands) {
      sent.push(commands);
      return left.shift() ?? { kind: "unsent" };
    },
    subscribe: () => () => {},
    isReady: () => true,
    isAway: () => false,
    isClosed: () => false,
    refusal: () => undefined,
    refusedWithin: () => {},
    backSinceMs: () => Number.NEGATIVE_INFINITY,
    async close() {},
  };
  return { client, sent };
}

const soon = () => performance.now() + 500;

test("a script is called by its SHA-1 with one JSON object, and bytes after it", async () => {
  const { client, sent } = answering(value(1));
  const args = { name: "a", percent: 4035, isNew: true, none: undefined, list: [], text: 'ß"\\ud800 \ud800' };
  await sendCalls(client, [{ script, keys: ["k"], args, bytes: [Buffer.from([255])] }], soon());
  const [[name, sha1, count, key, json, bytes] = []] = sent[0] ?? [];
  expect([name, sha1, count, key, bytes]).toEqual(["evalsha", "5a1", 1, "k", Buffer.from([255])]);
  expect(JSON.parse(String(json))).toEqual({
    name: "a",
    percent: 4035,
    isNew: true,
    list: [],
    text: 'ß"\\ud800 \ufffd',
  });
});

test("a script that the server does not know is sent whole", async () => {
  const { client, sent } = answering(error("NOSCRIPT"), value(1));
  expect(await sendCalls(client, [{ script, keys: [] }, ["ping"]], soon())).toEqual(value(1));
  expect(sent).toEqual([
    [["evalsha", "5a1", 0, "{}"], ["ping"]],
    [["eval", "return 1", 0, "{}"], ["ping"]],
  ]);
});

test("a key of another kind holds nothing; any other error reply is a store that does not do it", () => {
  expect(
    valuesOf([
      { ok: true, value: 7 },
      { ok: false, code: "WRONGTYPE" },
    ]),
  ).toEqual([7, null]);
  expect(() => valuesOf([{ ok: false, code: "LOADING" }])).toThrow(StoreUnavailable);
});

test("what gets no answer is sent again until there is no time left", async () => {
  const { client, sent } = answering({ kind: "unsent" }, { kind: "unknown" }, value("x"));
  expect(await createCaller(client).run([["get", "k"]], soon())).toEqual(["x"]);
  expect(sent).toHaveLength(3);
  const begunMs = performance.now();
  await expect(createCaller(client).run([["get", "k"]], begunMs + 60)).rejects.toThrow(StoreUnavailable);
  expect(performance.now() - begunMs).toBeLessThan(400);
});

test("a script that was late is a store out of reach; a value of a command never is", async () => {
  const { client } = answering(value(["late"]), value(["late"]));
  const caller = createCaller(client);
  await expect(caller.run([{ script, keys: [] }], soon())).rejects.toThrow(StoreUnavailable);
  expect(await caller.run([["hvals", "k"]], soon())).toEqual([["late"]]);
});

test("a change knows whether it may have been sent before, over all its scripts", async () => {
  const { client } = answering({ kind: "unsent" }, { kind: "unknown" }, value(["moved"]), value(["done"]));
  const seen: boolean[] = [];
  const call = (again: boolean) => {
    seen.push(again);
    return { script, keys: [] };
  };
  await createCaller(client).change(soon(), async (change) => {
    await change.once(call);
    await change.once(call);
  });
  expect(seen).toEqual([false, false, true, true]);
});

test("a change that failed unanswered is told of when it can land no more, one that was not sent at once", async () => {
  const wait = async (...answers: readonly Sent[]) => {
    const begunMs = performance.now();
    const failing = createCaller(answering(...answers).client).change(begunMs + 300, async (change) => {
      await change.once(() => ({ script, keys: [] }));
    });
    await expect(failing).rejects.toThrow(StoreUnavailable);
    return performance.now() - begunMs;
  };
  expect(await wait({ kind: "unknown" }, error("READONLY"))).toBeGreaterThanOrEqual(299);
  expect(await wait(error("READONLY"))).toBeLessThan(250);
});

test("a deadline is the caller's moment in the server's time, kept back by what an answer takes", async () => {
  const seen = { serverMs: 5_000, receivedAtMs: 100.4 };
  expect(deadlineOf(seen, 700)).toBe(5599);
  await createCaller(answering().client).change(1_100.4, async (change) => {
    expect(change.deadline(seen)).toBe(5_600);
  });
});
