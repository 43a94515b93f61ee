import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { maintenanceRefusal } from "../../../../src/proxy/request/maintenance.ts";
import { initialState } from "../../../../src/state/rules/model.ts";
import { createFixture } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";
import { turn, until } from "../../../support/until.ts";

const begin = 1_700_000_000_000;
const moment = (aheadMs: number) => new Date(begin + aheadMs).toISOString();
const legacyOff = { maintenance: `legacy ${moment(90_500)}` };
const browser = ["Host", "shop.example", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8"];

test.each([
  [["Accept", "text/html"], true],
  [["accept", "application/xhtml+xml, TEXT/HTML;q=0.9"], true],
  [["Accept", "*/*", "Sec-Fetch-Mode", "navigate"], true],
  [["Accept", "text/html, */*; q=0.01", "Sec-Fetch-Mode", "cors"], false],
  [["Accept", "text/html", "Sec-Fetch-Mode", "no-cors"], false],
  [["Accept", "application/json"], false],
  [["Accept", "*/*"], false],
  [[], false],
])("who comes with %j is given a page: %s", (more, isPage) => {
  const fixture = createFixture({ state: legacyOff });
  const client = fixture.send({
    method: "GET",
    target: "/cart/1",
    fields: ["Host", "shop.example", ...more],
  });
  const [head] = client.heads;
  expect(head?.status).toBe(503);
  const [type] = valuesOf(head?.fields ?? [], "content-type");
  expect(type).toBe(isPage ? "text/html; charset=utf-8" : "application/problem+json");
});

test.each([
  ["legacy", 0, 91],
  ["legacy", 90_499, 1],
  ["legacy", 90_500, undefined],
  ["new", 0, undefined],
] as const)(
  "a request to %s is told %d ms later to come again after so many seconds: %s",
  (side, ms, seconds) => {
    const by = { decision: { side, reason: "bucket" }, state: { ...initialState(), ...legacyOff } } as const;
    expect(maintenanceRefusal(by, begin + ms, undefined)?.retryAfter).toBe(seconds);
  },
);

test("the shop's own page is shown, octet for octet, in place of the proxy's", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-page-"));
  const file = join(folder, "page.html");
  const page = "<!doctype html><title>Kembali sebentar lagi</title><p>\u2615";
  await writeFile(file, page);
  const fixture = createFixture({ state: legacyOff, cutover: { maintenance: { page: file } } });
  await rm(folder, { recursive: true });
  const client = fixture.send({ method: "GET", target: "/cart/1", fields: browser });
  expect(client.body()).toBe(page);
  expect(client.heads[0]?.length).toBe(Buffer.byteLength(page));
  expect(valuesOf(client.heads[0]?.fields ?? [], "retry-after")).toEqual(["91"]);
  const program = fixture.send({ method: "GET", target: "/cart/1", fields: ["Host", "shop.example"] });
  expect(JSON.parse(program.body())).toMatchObject({ code: "maintenance" });
});

describe("a side in maintenance", () => {
  test("is sent nothing: its shoppers get a page with 503 and the seconds to come again, kept by no cache", () => {
    const fixture = createFixture({ state: legacyOff });
    const client = fixture.send({ method: "GET", target: "/cart/1", fields: browser });
    expect(fixture.attempts).toEqual([]);
    const [head] = client.heads;
    expect(head?.status).toBe(503);
    expect(valuesOf(head?.fields ?? [], "retry-after")).toEqual(["91"]);
    expect(valuesOf(head?.fields ?? [], "content-type")).toEqual(["text/html; charset=utf-8"]);
    expect(valuesOf(head?.fields ?? [], "cache-control")).toEqual(["no-store"]);
    expect(head?.length).toBe(Buffer.byteLength(client.body()));
    expect(client.body()).toContain("Back soon");
    expect(fixture.counted).toEqual(["none rejected"]);
    expect(fixture.entries).toMatchObject([{ route: "cart", code: "maintenance", status: 503 }]);
  });

  test("sends callbacks and programs away with a problem, so that they come again", async () => {
    const fixture = createFixture({ state: legacyOff });
    for (const target of ["/callbacks/payment", "/checkout"]) {
      const client = fixture.send({ method: "POST", target, fields: ["Host", "shop.example"] }, "{}");
      await until("the answer", () => client.heads.length > 0);
      expect(client.heads[0]).toMatchObject({ status: 503 });
      expect(valuesOf(client.heads[0]?.fields ?? [], "retry-after")).toEqual(["91"]);
      expect(JSON.parse(client.body())).toMatchObject({ code: "maintenance", outcome: "rejected" });
    }
    expect(fixture.attempts).toEqual([]);
  });

  test("keeps nobody off the other side, and moves nobody there", () => {
    const fixture = createFixture({ state: { ...legacyOff, percentThousandths: 100_000 } });
    fixture.send({ method: "GET", target: "/cart/1", fields: [...browser, "X-Shopper-Id", "a"] });
    fixture.send({ method: "GET", target: "/cart/1", fields: browser });
    expect(fixture.attempts.map(({ upstream }) => upstream)).toEqual(["fresh"]);
  });

  test("leaves alone what is on no route of the cutover", () => {
    const fixture = createFixture({ state: legacyOff });
    fixture.send({ method: "GET", target: "/about", fields: browser });
    expect(fixture.attempts).toHaveLength(1);
  });

  test("ends by itself at its moment", () => {
    const time = { ms: begin };
    const fixture = createFixture({ state: legacyOff, time });
    time.ms = begin + 90_499;
    fixture.send({ method: "GET", target: "/cart/1", fields: browser });
    expect(fixture.attempts).toHaveLength(0);
    time.ms = begin + 90_500;
    fixture.send({ method: "GET", target: "/cart/1", fields: browser });
    expect(fixture.attempts).toHaveLength(1);
  });

  test("gives back the key that its request has claimed: tried later elsewhere it is nobody's", async () => {
    const fixture = createFixture({ state: legacyOff });
    const fields = ["Host", "shop.example", "X-Shopper-Id", "a", "Idempotency-Key", "k-1"];
    const client = fixture.send({ method: "POST", target: "/checkout", fields }, "{}");
    await turn();
    await turn();
    expect(client.heads[0]?.status).toBe(503);
    expect(fixture.attempts).toEqual([]);
    expect([...fixture.claims]).toEqual([]);
    fixture.set({ maintenance: `new ${moment(1000)}`, percentThousandths: 0 });
    fixture.send({ method: "POST", target: "/checkout", fields }, "{}");
    await turn();
    await turn();
    expect(fixture.attempts.map(({ upstream }) => upstream)).toEqual(["old"]);
  });

  test("is no side to fall back to", () => {
    const fixture = createFixture({
      state: { ...legacyOff, percentThousandths: 100_000 },
      cutover: { fallback: true },
    });
    const fields = [...browser, "X-Shopper-Id", "a"];
    const client = fixture.send({ method: "GET", target: "/cart/1", fields });
    fixture.attempts[0]?.sink.failure({ outcome: "connect_failed", sent: false, code: "ECONNREFUSED" });
    expect(fixture.attempts.map(({ upstream }) => upstream)).toEqual(["fresh"]);
    expect(client.heads[0]?.status).toBe(502);
  });

  test("sends a HEAD no body", () => {
    const fixture = createFixture({ state: legacyOff });
    const client = fixture.send({ method: "HEAD", target: "/cart/1", fields: browser });
    expect(client.heads[0]?.status).toBe(503);
    expect(client.body()).toBe("");
  });
});
