/** What shops believe of a hand-over: the vectors of docs/handover.md, and that nothing else is. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import {
  type Handover,
  handoverField,
  signHandover,
  type Verified,
  type VerifyOptions,
  verifyHandover,
} from "../../../../src/proxy/handover/token.ts";

interface Vector {
  readonly what: string;
  readonly field: string;
  readonly options: VerifyOptions;
  readonly verified: Verified;
}

const vectors: Vector[] = JSON.parse(
  readFileSync(new URL("../../../../docs/handover-vectors.json", import.meta.url), "utf8"),
);

const secret = "s".repeat(32);
const told: Handover = {
  cutover: "checkout",
  before: "legacy",
  shopper: "ann",
  issuedAt: 1_800_000_000,
  nonce: "n".repeat(22),
};
const asked = { method: "GET", host: "shop.example", path: "/cart" };
const options: VerifyOptions = { secrets: [secret], audience: "m", nowMs: 1_800_000_001_000, ...asked };
const field = signHandover(secret, "m", told, asked);

describe("the vectors", () => {
  test.each(vectors)("$what", ({ field: text, options: given, verified }) => {
    expect(verifyHandover(text, given)).toEqual(verified);
  });

  test("are of every fault but one, and of good ones", () => {
    const found = new Set(vectors.map(({ verified }) => (verified.valid ? "valid" : verified.fault)));
    expect([...found].sort()).toEqual([
      ...["audience", "expired", "malformed", "missing", "request", "signature", "valid"],
    ]);
  });
});

test("a shop whose secret is not set, or short, believes nobody: whoever signs with nothing could be anybody", () => {
  for (const weak of ["", "s".repeat(31)]) {
    const forged = signHandover(weak, "m", told, asked);
    expect(verifyHandover(forged, { ...options, secrets: [weak] })).toEqual({
      valid: false,
      fault: "signature",
    });
  }
  // As a shop in JavaScript has it from an environment without the variable, or a request without a Host.
  const unset: VerifyOptions = JSON.parse(JSON.stringify({ ...options, secrets: [null] }));
  expect(verifyHandover(field, unset)).toEqual({ valid: false, fault: "signature" });
  const nameless: VerifyOptions = JSON.parse(JSON.stringify({ ...options, host: undefined }));
  expect(verifyHandover(field, nameless)).toEqual({ valid: false, fault: "request" });
});

test("a library of others verifies it, too", async () => {
  const { payload } = await jwtVerify(field, new TextEncoder().encode(secret), {
    algorithms: ["HS256"],
    issuer: "cutover",
    audience: "m",
    currentDate: new Date(1_800_000_059_000),
  });
  expect(payload).toEqual({
    iss: "cutover",
    aud: "m",
    sub: "ann",
    iat: 1_800_000_000,
    exp: 1_800_000_060,
    jti: "n".repeat(22),
    cutover: "checkout",
    before: "legacy",
    ...asked,
  });
});

test("without the field there is none", () => {
  expect(verifyHandover(undefined, options)).toEqual({ valid: false, fault: "missing" });
  expect(handoverField).toBe("x-cutover-handover");
});

test("one that was seen is not believed again, and others are not asked for", () => {
  const seen = new Map<string, number>();
  const isNew = (nonce: string, forSeconds: number) => {
    const before = seen.has(nonce);
    seen.set(nonce, forSeconds);
    return !before;
  };
  expect(verifyHandover(field, { ...options, isNew, path: "/" })).toMatchObject({ fault: "request" });
  expect(seen.size).toBe(0);
  expect(verifyHandover(field, { ...options, isNew })).toEqual({ valid: true, handover: told });
  expect([...seen]).toEqual([["n".repeat(22), 59]]);
  expect(verifyHandover(field, { ...options, isNew })).toEqual({ valid: false, fault: "replayed" });
});

test("a secret's other claims are no hand-over", () => {
  // As another program may sign with the same secret.
  for (const other of [
    { ...told, shopper: "" },
    { ...told, issuedAt: 1.5 },
    { ...told, before: Object("old") },
    { ...told, nonce: Object(1) },
  ]) {
    expect(verifyHandover(signHandover(secret, "m", other, asked), options)).toEqual({
      valid: false,
      fault: "malformed",
    });
  }
});

test("no byte of it can be another", () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  fc.assert(
    fc.property(fc.nat(field.length - 1), fc.stringMatching(/^[\w.-]?$/), (at, other) => {
      const changed = `${field.slice(0, at)}${other}${field.slice(at + 1)}`;
      fc.pre(changed !== field);
      expect(verifyHandover(changed, options).valid).toBe(false);
    }),
    { seed, numRuns: 500 },
  );
});

test("what is written is what is read, whoever the shopper is and whatever he asks for", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, unit: "grapheme" }),
      fc.webPath().map((path) => `/${path}`),
      fc.constantFrom("legacy", "new"),
      (shopper, path, before) => {
        const one = { ...told, shopper, before } as const;
        const text = signHandover(secret, "m", one, { ...asked, path });
        expect(text).toMatch(/^[\w.-]+$/);
        expect(verifyHandover(text, { ...options, path })).toEqual({ valid: true, handover: one });
      },
    ),
    { numRuns: 300 },
  );
});
