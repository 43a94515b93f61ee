import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endPin, type JourneyPin, readPin, signPin, slidePin, startPin } from "../../../src/decide/pin.ts";

const life = { ttl: 1800, maxTtl: 14_400, grace: 60, reserve: 310 };
const id = "AbC_-0123xyz";
const pin: JourneyPin = { id, side: "new", epoch: 3, startedAt: 1_700_000_000, expiresAt: 1_700_001_800 };

describe("signPin and readPin", () => {
  test("round trips what it signed, under any of the secrets", () => {
    const text = signPin("s2", "checkout", pin);
    expect(readPin(["s1", "s2"], "checkout", text, pin.startedAt)).toEqual({ valid: true, pin });
  });

  test("tells nothing readable of a shopper and fits in a cookie", () => {
    expect(signPin("s", "checkout", pin)).toMatch(/^[\w.-]{50,100}$/);
  });

  test("refuses another cutover's pin, another secret's, and an expired one", () => {
    const text = signPin("s", "checkout", pin);
    expect(readPin(["s"], "wallet", text, pin.startedAt)).toEqual({ valid: false, fault: "signature" });
    expect(readPin(["t"], "checkout", text, pin.startedAt)).toEqual({ valid: false, fault: "signature" });
    expect(readPin(["s"], "checkout", text, pin.expiresAt)).toEqual({ valid: false, fault: "expired" });
    expect(readPin([], "checkout", text, pin.startedAt)).toEqual({ valid: false, fault: "signature" });
  });

  test("refuses whatever was changed by a byte, for all places and bytes", () => {
    const text = signPin("s", "checkout", pin);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 33, max: 126 }), (at, code) => {
        const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        return changed === text || !readPin(["s"], "checkout", changed, pin.startedAt).valid;
      }),
    );
  });

  test("takes any text without failing", () => {
    fc.assert(fc.property(fc.string(), (text) => !readPin(["s"], "checkout", text, 0).valid));
  });
});

describe("a pin's life", () => {
  test("slides with each request, never past its maximum", () => {
    const started = startPin(life, id, "legacy", 0, 1000);
    expect(started.expiresAt).toBe(2800);
    expect(slidePin(life, started, 2000).expiresAt).toBe(3800);
    expect(slidePin(life, started, 15_000).expiresAt).toBe(15_400);
  });

  test("is cut to the grace at its end, and sliding does not prolong it", () => {
    const ended = endPin(life, startPin(life, id, "new", 0, 1000), 1100);
    expect(ended.expiresAt).toBe(1160);
    expect(slidePin(life, ended, 1159).expiresAt).toBe(1160);
  });

  test("does not grow by an end that comes late", () => {
    const started = startPin(life, id, "new", 0, 1000);
    const old = slidePin(life, started, 15_390);
    expect(endPin(life, old, 15_399).expiresAt).toBe(15_400);
  });
});
