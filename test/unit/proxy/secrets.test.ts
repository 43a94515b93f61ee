import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { readPin } from "../../../src/decide/pin.ts";
import { createJourneySecrets, createPinReader, secretName } from "../../../src/proxy/secrets.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import { collector } from "../../support/collector.ts";
import { createManualTime } from "../../support/manual-time.ts";

function rig() {
  const time = createManualTime();
  const store = createMemoryStore({ clock: time });
  const state = { up: true, asked: 0 };
  const shared = async (name: string, offer: string) => {
    state.asked += 1;
    if (!state.up) throw new StoreUnavailable("off");
    return store.shared(name, offer);
  };
  const kept = new Map<string, string>();
  const instance = (given: readonly string[] = [], before: ReadonlyMap<string, string> = new Map()) =>
    createJourneySecrets({
      store: { shared },
      timers: time,
      configured: new Map([["checkout", given]]),
      kept: before,
      keep: (name, secret) => kept.set(name, secret),
    });
  return { time, state, kept, instance };
}

describe("journey secrets", () => {
  test("are used as configured, the first signs, and the store is not asked", async () => {
    const { instance, state, kept } = rig();
    const secrets = instance(["new", "old"]);
    await secrets.start();
    expect(secrets.of("checkout")).toEqual(["new", "old"]);
    expect(secrets.of("wallet")).toEqual([]);
    expect(state.asked).toBe(0);
    expect(kept.size).toBe(0);
  });

  test("are generated once and shared by all instances where none is configured, and kept", async () => {
    const { instance, kept } = rig();
    const [one, other] = [instance(), instance()];
    await one.start();
    await other.start();
    const [secret = ""] = one.of("checkout");
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(other.of("checkout")[0]).toBe(secret);
    expect(kept.get(secretName("checkout"))).toBe(secret);
  });

  test("signed with before the store answered still verify afterwards", async () => {
    const { time, instance, state } = rig();
    const one = instance();
    await one.start();
    state.up = false;
    const other = instance();
    await other.start();
    const [own = ""] = other.of("checkout");
    state.up = true;
    await time.advance(1000);
    expect(other.of("checkout")).toEqual([one.of("checkout")[0], own]);
    const { asked } = state;
    await time.advance(5000);
    expect(state.asked).toBe(asked);
    other.stop();
  });

  test("come from the snapshot in a cold start without the store", async () => {
    const { instance, state } = rig();
    state.up = false;
    const secrets = instance([], new Map([[secretName("checkout"), "kept"]]));
    await secrets.start();
    expect(secrets.of("checkout")).toEqual(["kept"]);
    secrets.stop();
  });

  test("are sought no longer once stopped", async () => {
    const { time, instance, state } = rig();
    state.up = false;
    const secrets = instance();
    await secrets.start();
    secrets.stop();
    await time.advance(5000);
    expect(state.asked).toBe(1);
    expect(time.pending()).toBe(0);
  });
});

describe("pins that were made here", () => {
  const pin = { id: "abcdefghijkl", side: "new", epoch: 3, startedAt: 100, expiresAt: 200 } as const;

  test("read as any other reads them, ended ones too, and are too old when they are", () => {
    const pins = createPinReader(() => ["secret"], "checkout");
    for (const made of [pin, { ...pin, startedAt: 0, ended: true }]) {
      const text = pins.sign(made) ?? "";
      expect(pins.read(text, 150)).toEqual(readPin(["secret"], "checkout", text, 150));
      expect(pins.read(text, 150)).toEqual({ valid: true, pin: made });
      expect(pins.read(text, 200)).toEqual({ valid: false, fault: "expired" });
      expect(pins.isOwn(`${text.slice(0, -1)}_`)).toBe(false);
    }
  });

  test("count no more when their secret does not, and again when it does", () => {
    let secrets: readonly string[] = ["old"];
    const pins = createPinReader(() => secrets, "checkout");
    const text = pins.sign(pin) ?? "";
    secrets = ["new"];
    expect(pins.isOwn(text)).toBe(false);
    secrets = ["new", "old"];
    expect(pins.isOwn(text)).toBe(true);
    secrets = [];
    expect([pins.isOwn(text), pins.sign(pin)]).toEqual([false, undefined]);
  });
});

test("a pin that is remembered does not keep the field it came in", () => {
  const pin = { side: "new", epoch: 3, startedAt: 100, expiresAt: 200 } as const;
  const secrets: readonly string[] = ["secret"];
  const made = createPinReader(() => secrets, "checkout");
  const read = createPinReader(() => secrets, "checkout");
  const collect = collector();
  const heapBytes = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heapBytes();
  for (let i = 0; i < 2000; i += 1) {
    const text = made.sign({ ...pin, id: String(i).padStart(12, "0") }) ?? "";
    const field = Buffer.from(`sid=1; journey=${text}; rest=${"x".repeat(16_000)}`).toString("latin1");
    expect(read.isOwn(field.slice(15, 15 + text.length))).toBe(true);
  }
  expect(heapBytes() - before).toBeLessThan(8 * 2 ** 20);
});
