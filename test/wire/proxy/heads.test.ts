/** How large a request's head may be, and how long it may take. */
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { duties, get, ok } from "./lab.ts";

duties("the size and time of a head", (duty) => {
  const targetOf = (octets: number) => `/${"a".repeat(octets - 1)}`;
  duty("a target of 8 KiB goes on whole (RFC 9112 §3)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const target = targetOf(8192);
    expect((await proxy.answerTo(get(target))).status).toBe(200);
    expect(proxy.seen().line).toBe(`GET ${target} HTTP/1.1`);
  });
  for (const octets of [8193, 12_000, 20_000, 200_000]) {
    duty(`a target of ${octets} octets → 414 (RFC 9110 §15.5.15)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const answer = await proxy.answerTo(get(targetOf(octets)));
      expect(answer.status).toBe(414);
      expect(valuesOf(answer.fields, "connection")).toEqual(["close"]);
      expect(proxy.raw.requests()).toEqual([]);
      await proxy.expectOutcomes({ rejected: 1 });
    });
  }
  duty("a head of nearly 16 KiB goes on whole (RFC 6585 §5)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const value = "a".repeat(7500);
    expect((await proxy.answerTo(get("/", [`X-A: ${value}`, `X-B: ${value}`]))).status).toBe(200);
    expect(valuesOf(proxy.seen().fields, "x-b")).toEqual([value]);
  });
  for (const [what, fields] of [
    ["one field of 17 KiB", [`X-A: ${"a".repeat(17_000)}`]],
    ["fields of 20 KiB in all", Array.from({ length: 20 }, (_, i) => `X-${i}: ${"a".repeat(1000)}`)],
    ["fields of 200 KiB in all", Array.from({ length: 20 }, (_, i) => `X-${i}: ${"a".repeat(10_000)}`)],
  ] as const) {
    duty(`${what} → 431 (RFC 6585 §5)`, async (lab) => {
      const proxy = await lab.start(answering(ok()));
      const answer = await proxy.answerTo(get("/", fields));
      expect(answer.status).toBe(431);
      expect(valuesOf(answer.fields, "connection")).toEqual(["close"]);
      expect(proxy.raw.requests()).toEqual([]);
      await proxy.expectOutcomes({ rejected: 1 });
    });
  }
  duty("what is too large is a setting: a head and a target of nearly 64 KiB go on whole", async (lab) => {
    const proxy = await lab.start(answering(ok()), { limits: { head: "64KiB", target: "60KiB" } });
    const value = "a".repeat(60_000);
    expect((await proxy.answerTo(get("/", [`X-A: ${value}`]))).status).toBe(200);
    expect((await proxy.answerTo(get(targetOf(61_440)))).status).toBe(200);
    expect((await proxy.answerTo(get(targetOf(61_441)))).status).toBe(414);
    expect((await proxy.answerTo(get("/", [`X-A: ${value}`, `X-B: ${value}`]))).status).toBe(431);
    expect(
      proxy.raw.requests().map(({ line, fields }) => line.length + (valuesOf(fields, "x-a")[0] ?? "").length),
    ).toEqual([60_014, 61_453]);
  });
  duty("what is too large is a setting: small ones too", async (lab) => {
    const proxy = await lab.start(answering(ok()), { limits: { head: "1KiB", target: "256B" } });
    expect((await proxy.answerTo(get(targetOf(256)))).status).toBe(200);
    expect((await proxy.answerTo(get(targetOf(257)))).status).toBe(414);
    expect((await proxy.answerTo(get(targetOf(2000)))).status).toBe(414);
    expect((await proxy.answerTo(get("/", [`X-A: ${"a".repeat(1100)}`]))).status).toBe(431);
  });
  duty("no field of a head is lost, however many there are (RFC 9110 §5.4)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const fields = Array.from({ length: 1100 }, (_, i) => `X-${i}: ${i}`);
    const answer = await proxy.answerTo(get("/", fields));
    if (answer.status === 200) expect(valuesOf(proxy.seen().fields, "x-1099")).toEqual(["1099"]);
    else {
      expect(answer.status).toBe(431);
      expect(proxy.raw.requests()).toEqual([]);
    }
  });
  duty("a field behind many others still frames and identifies (RFC 9112 §6.3)", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    const many = Array.from({ length: 1990 }, () => "X:");
    const answer = await proxy.answerTo(get("/", [...many, "Content-Length: 5", "Content-Length: 6"]));
    expect([400, 431]).toContain(answer.status);
    expect(proxy.raw.requests()).toEqual([]);
  });
});
