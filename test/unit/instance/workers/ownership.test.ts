import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import {
  fromWorker,
  type StoreQuestion,
  type StoreReply,
  type ToWorker,
  toWorker,
} from "../../../../src/instance/workers/messages.ts";
import { answerFrom, askingStores } from "../../../../src/instance/workers/ownership.ts";
import { createMemoryStores } from "../../../../src/ownership/stores/in-process.ts";
import { pinDigest } from "../../../../src/ownership/stores/port.ts";
import { claim, fact } from "../../../support/named-keys.ts";

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** The channel: what is said goes through JSON and is checked, both ways. */
function overTheChannel(answer: (question: StoreQuestion) => Promise<StoreReply>) {
  return async (question: StoreQuestion): Promise<StoreReply> => {
    const asked = fromWorker.parse(JSON.parse(JSON.stringify({ type: "ask", seq: 1, question })));
    if (asked.type !== "ask") throw new Error("another message");
    const told = { type: "reply", seq: 1, reply: await answer(asked.question) };
    const heard = toWorker.parse(JSON.parse(JSON.stringify(told)));
    if (heard.type !== "reply") throw new Error("another message");
    return heard.reply;
  };
}

describe("owners and pins that the primary keeps", () => {
  const kept = createMemoryStores(clock);
  const stores = askingStores(
    overTheChannel((question) => answerFrom(kept, question)),
    clock,
  );

  test("are the same for whoever asks", async () => {
    const key = "caf\u00c3\u00a9 \u0000\u00ff";
    const { owners } = stores;
    expect(await owners.lookup("checkout", [fact(key), fact("other")])).toEqual([undefined, undefined]);
    expect(await owners.record("checkout", claim(key), "legacy", 60_000)).toBeUndefined();
    expect(await owners.record("checkout", fact(key), "new", 60_000)).toBeUndefined();
    expect(await owners.record("checkout", fact(key), "legacy", 60_000)).toBe("new");
    const asked = [fact("other"), fact(key), claim(key)];
    expect(await owners.lookup("checkout", asked)).toEqual([undefined, "new", "legacy"]);
    expect(await kept.owners.lookup("checkout", asked)).toEqual([undefined, "new", "legacy"]);
    expect(await owners.release("checkout", key, "legacy")).toBe(false);
    expect(await owners.release("checkout", key, "new")).toBe(true);
    expect(await kept.owners.lookup("checkout", asked)).toEqual([undefined, undefined, "legacy"]);
  });

  test("a journey begins once", async () => {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const pin = {
      id: "0123456789ab",
      side: "new",
      epoch: 0,
      startedAt: nowSeconds,
      expiresAt: nowSeconds + 60,
    } as const;
    expect(await stores.pins.find("checkout", "somebody", 60)).toBeUndefined();
    expect(await stores.pins.reserve("checkout", "somebody", pin, 60, 30)).toEqual({ ...pin, reserved: 1 });
    await stores.pins.release("checkout", "somebody", pin.id);
    expect(await kept.pins.find("checkout", "somebody", 60)).toBeUndefined();
    expect(await stores.pins.start("checkout", "somebody", pin, 60)).toEqual(pin);
    expect(await stores.pins.find("checkout", "somebody", 60)).toEqual(
      await kept.pins.find("checkout", "somebody", 60),
    );
    expect(await stores.pins.end("checkout", "somebody", 5, 60)).toMatchObject({ id: pin.id, side: "new" });
  });

  test("pins that there are, and those that are made, are known to every worker", async () => {
    const listeners: ((message: ToWorker) => void)[] = [];
    const worker = askingStores(
      overTheChannel((question) => answerFrom(kept, question)),
      clock,
      (listener) => void listeners.push(listener),
    );
    const heard: string[] = [];
    const leave = worker.pinNews.watch(
      (cutover, digest) => heard.push(`${cutover} ${digest}`),
      (isHearing) => heard.push(`hears ${isHearing}`),
    );
    const startedAt = Math.floor(Date.now() / 1000);
    const pin = { id: "kept56789abc", side: "new", epoch: 0, startedAt, expiresAt: startedAt + 60 } as const;
    await worker.pins.start("wallet", "ann", pin, 60);
    await worker.pins.keep("wallet", "ann", { ...pin, startedAt: startedAt + 1 }, 30);
    await worker.pins.tie("wallet", ["O1"], pin.id, 60);
    const told: unknown = JSON.parse(
      JSON.stringify({ type: "pin", cutover: "wallet", digest: pinDigest("ann") }),
    );
    for (const listener of listeners) listener(toWorker.parse(told));
    expect(heard).toEqual(["hears true", `wallet ${pinDigest("ann")}`]);
    leave();
    const listed: string[] = [];
    expect(await worker.pinNews.list("wallet", 60, (digests) => listed.push(...digests))).toBe(0);
    expect(listed).toEqual([pinDigest("ann")]);
    expect(await worker.pins.end("wallet", "ann", 5, 60, { orders: ["O2"] })).toBeUndefined();
    expect(await worker.pins.end("wallet", "ann", 5, 60, { orders: ["O1"] })).toMatchObject({
      startedAt: startedAt + 1,
    });
  });

  test("what the primary cannot tell, or does not tell in time, is out of reach", async () => {
    const silent = askingStores(() => Promise.reject(new StoreUnavailable("late")), clock);
    await expect(silent.owners.lookup("checkout", [fact("a")])).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(silent.pins.find("checkout", "a", 60)).rejects.toBeInstanceOf(StoreUnavailable);
    let works = false;
    const troubled = askingStores(
      async (question) => (works ? answerFrom(kept, question) : { kind: "unavailable" }),
      clock,
    );
    await expect(troubled.owners.record("checkout", claim("a"), "new", 1000)).rejects.toBeInstanceOf(
      StoreUnavailable,
    );
    expect(troubled.backSinceMs?.()).toBe(Number.NEGATIVE_INFINITY);
    works = true;
    await troubled.owners.lookup("checkout", [fact("a")]);
    expect(performance.now() - (troubled.backSinceMs?.() ?? 0)).toBeLessThan(1000);
  });
});
