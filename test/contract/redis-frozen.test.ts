/** A Redis that is frozen, and changes that are late or whose answers are lost on the way. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { loadScripts } from "../../src/state/store/redis/scripts.ts";
import { applyAll, command, noneKnown, setTo, stateOf } from "../support/commands.ts";
import { failing, msToUnavailable, scriptCalls, until } from "./redis-failing.ts";

const given = failing();
afterEach(() => given.end());

describe("a frozen server", () => {
  test("makes a change unavailable within 2 s, and the change has not landed after the thaw", async () => {
    const redis = await given.server();
    const store = given.storeAt(redis.url);
    const before = await applyAll(store, "checkout", [setTo(10)]);
    redis.freeze();
    const took = await msToUnavailable(store.apply(command("checkout", setTo(90))));
    expect(took).toBeLessThan(2000);
    redis.thaw();
    await until("the server to be rid of the connections of before", async () => {
      const clients = String(await redis.cli("CLIENT", "LIST"));
      return clients.split("\n").filter((line) => line.includes("name=cutover-")).length <= 1;
    });
    expect(await stateOf(store, "checkout")).toEqual(before);
    expect(await store.history("checkout", 10)).toHaveLength(1);
  });

  test("makes every other call unavailable within 2 s, too", async () => {
    const redis = await given.server();
    const store = given.storeAt(redis.url);
    await stateOf(store, "checkout");
    redis.freeze();
    const at = "2026-01-01T00:00:00.000Z";
    const times = await Promise.all([
      msToUnavailable(store.load(["checkout"], noneKnown)),
      msToUnavailable(store.acknowledge({ id: "a", startedAt: at, seenAt: at, versions: {}, traffic: {} })),
      msToUnavailable(store.leave("a")),
      msToUnavailable(store.instances()),
      msToUnavailable(store.history("checkout", 1)),
      msToUnavailable(store.shared("secret", "1")),
    ]);
    expect(Math.max(...times)).toBeLessThan(2000);
    redis.thaw();
    expect((await stateOf(store, "checkout")).version).toBe(0);
  });

  test("a change that was answered unavailable never lands, while its writers go on asking", async () => {
    const redis = await given.server();
    const store = given.storeAt(redis.url);
    const refusedAt = new Map<string, number>();
    const accepted: string[] = [];
    let writing = true;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let turn = 0; writing; turn++) {
        const reason = `${writer}-${turn}`;
        try {
          const applied = await store.apply(
            command("checkout", setTo((turn * 4 + writer) % 100), { reason }),
          );
          if (applied.accepted && applied.changed) accepted.push(reason);
        } catch {
          refusedAt.set(reason, Date.now());
        }
      }
    });
    for (const frozenMs of [2500, 1900, 1400]) {
      await sleep(100 + Math.random() * 50);
      redis.freeze();
      await sleep(frozenMs);
      redis.thaw();
    }
    await sleep(300);
    writing = false;
    await Promise.all(writers);
    const history = await store.history("checkout", 10_000);
    const later = history.filter(
      (entry) => Date.parse(entry.at) >= (refusedAt.get(entry.reason) ?? Number.NaN),
    );
    expect(refusedAt.size).toBeGreaterThan(0);
    expect(later).toEqual([]);
    expect(history.map((entry) => entry.reason)).toEqual(expect.arrayContaining(accepted));
    expect(history.map((entry) => entry.version)).toEqual(history.map((_, at) => history.length - at));
  });

  test("is noticed by the subscriber, and a hint follows the thaw", async () => {
    const redis = await given.server();
    const store = given.storeAt(redis.url);
    let hints = 0;
    store.subscribe(() => {
      hints += 1;
    });
    await until("the subscription", () => hints === 1);
    redis.freeze();
    await sleep(2500);
    redis.thaw();
    await until("a hint", () => hints > 1);
  });
});

describe("a change on its way", () => {
  const { apply, lease } = loadScripts();

  test("that arrives after it was answered unavailable is refused by the server", async () => {
    const redis = await given.server();
    const relay = await given.relay(redis);
    const store = given.storeAt(`redis://127.0.0.1:${relay.port}`);
    const before = await applyAll(store, "checkout", [setTo(10)]);
    const held = relay.holdBack(apply.sha1);
    const pending = msToUnavailable(store.apply(command("checkout", setTo(90))));
    const release = await held;
    redis.freeze();
    expect(await pending).toBeLessThan(2000);
    redis.thaw();
    const calls = await scriptCalls(redis);
    release();
    await until("the server to run the late script", async () => (await scriptCalls(redis)) > calls);
    expect(await stateOf(given.storeAt(redis.url), "checkout")).toEqual(before);
  });

  test("that is a lease and arrives after it was answered unavailable is not taken", async () => {
    const redis = await given.server();
    const relay = await given.relay(redis);
    const store = given.storeAt(`redis://127.0.0.1:${relay.port}`);
    const held = relay.holdBack(lease.sha1);
    const pending = msToUnavailable(store.lease("checkout", "a", 60_000));
    const release = await held;
    redis.freeze();
    expect(await pending).toBeLessThan(2000);
    redis.thaw();
    const calls = await scriptCalls(redis);
    release();
    await until("the server to run the late script", async () => (await scriptCalls(redis)) > calls);
    const other = given.storeAt(redis.url);
    expect(await other.lease("checkout", "b", 60_000)).toMatchObject({ granted: true });
  });

  test("that is held up while another attempt gets through lands once", async () => {
    const redis = await given.server();
    const relay = await given.relay(redis);
    const store = given.storeAt(`redis://127.0.0.1:${relay.port}`);
    await applyAll(store, "checkout", [setTo(10)]);
    const held = relay.holdBack(apply.sha1);
    const pending = store.apply(command("checkout", setTo(90)));
    const release = await held;
    expect(await pending).toMatchObject({ accepted: true, changed: true, state: { version: 2 } });
    const calls = await scriptCalls(redis);
    release();
    await until("the server to run the script once more", async () => (await scriptCalls(redis)) > calls);
    expect(await store.history("checkout", 10)).toHaveLength(2);
  });

  test("whose answer is lost is asked for again and answered as what it was", async () => {
    const redis = await given.server();
    const relay = await given.relay(redis);
    const store = given.storeAt(`redis://127.0.0.1:${relay.port}`);
    await applyAll(store, "checkout", [setTo(10)]);
    const lost = relay.loseAnswerTo(apply.sha1);
    const applied = await store.apply(command("checkout", setTo(90), { ifVersion: 1 }));
    await lost;
    expect(applied).toMatchObject({ accepted: true, changed: true, state: { version: 2 } });
    expect(applied.state).toEqual(await stateOf(store, "checkout"));
    expect(await store.history("checkout", 10)).toHaveLength(2);
  });

  test("whose answer is lost is known even after others have written", async () => {
    const redis = await given.server();
    const relay = await given.relay(redis);
    const store = given.storeAt(`redis://127.0.0.1:${relay.port}`);
    const other = given.storeAt(redis.url);
    await applyAll(store, "checkout", [setTo(10), { action: "hold" }]);
    const lost = relay.loseAnswerTo(apply.sha1);
    const pending = store.apply(command("checkout", { action: "rollback_hard" }));
    await lost;
    await applyAll(other, "checkout", [{ action: "resume" }, setTo(20)]);
    expect(await pending).toMatchObject({
      accepted: true,
      changed: true,
      state: { version: 3, state: "rolled_back", pinEpoch: 1 },
    });
    expect(await stateOf(other, "checkout")).toMatchObject({
      version: 5,
      pinEpoch: 1,
      percentThousandths: 20_000,
    });
  });
});
