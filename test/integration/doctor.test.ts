/** `doctor` at a real Redis: what a user may not do there is found, with what to do about it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { readConfig } from "../../src/config/load/load.ts";
import { examine } from "../../src/instance/doctor.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { addDocumentedUser } from "../support/redis-user.ts";

let redis: RedisServer;
let folder = "";
let url = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-doctor-"));
  redis = await startRedis();
  url = await addDocumentedUser(redis);
});
afterAll(async () => {
  await redis.stop();
  await rm(folder, { recursive: true });
});

async function found(more: readonly string[] = []) {
  const text = [
    `store: '${url}'`,
    `snapshot: '${join(folder, "snapshot.json")}'`,
    "spool: off",
    ...more,
    "upstreams: { a: { url: 'http://127.0.0.1:1' }, b: { url: 'http://127.0.0.1:1' } }",
    "default: a",
  ].join("\n");
  const loaded = readConfig(Buffer.from(text), "c.yaml", {});
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const findings = await examine(loaded.config);
  for (const { verdict, fix, check } of findings) if (verdict !== "ok") expect(fix, check).toMatch(/\w+ \w+/);
  return new Map(findings.map(({ check, verdict }) => [check, verdict]));
}

test("the documented user may do all; what is in the way of files is found", async () => {
  await writeFile(join(folder, "plain"), "");
  const audit = `audit: '${join(folder, "plain", "audit.ndjson")}'`;
  const all = {
    store: "ok",
    "announcements of the store": "ok",
    "clock of the store": "ok",
    "upstream a": "fail",
    "upstream b": "fail",
  };
  expect(Object.fromEntries(await found([audit]))).toEqual({ ...all, snapshot: "ok", audit: "fail" });
  // Twice, since it makes a change each time.
  expect((await found(["audit: off"])).get("store")).toBe("ok");
  const keys = z.array(z.string()).parse(await redis.cli("KEYS", "*"));
  for (const key of keys) expect(key).toMatch(/^cutover:\{~doctor\}/);
});

test.each([
  ["-xadd", { store: "fail" }],
  ["-evalsha", { store: "fail" }],
  ["-subscribe", { store: "ok", "announcements of the store": "warn" }],
])("a user with %s: %j", async (rule, expected) => {
  await redis.cli("ACL", "SETUSER", "cutover", rule);
  try {
    expect(Object.fromEntries(await found())).toMatchObject(expected);
  } finally {
    await redis.cli("ACL", "SETUSER", "cutover", rule.replace("-", "+"));
  }
});

test("a store of owners that refuses is found beside one for the states that does not", async () => {
  const own = await startRedis();
  try {
    const cutovers = [
      "cutovers: { pay: { legacy: a, new: b, shopper: ['cookie:sid'], routes: [{ name: pay, path: /pay }],",
      `  owners: { store: '${own.url}', keys: [{ key: 'header:idempotency-key', ttl: 1h }] } } }`,
    ];
    expect(Object.fromEntries(await found(cutovers))).toMatchObject({
      store: "ok",
      "owners of pay": "ok",
      "announcements of the owners of pay": "ok",
    });
    await own.cli("CONFIG", "SET", "maxmemory", "1");
    expect(Object.fromEntries(await found(cutovers))).toMatchObject({ store: "ok", "owners of pay": "fail" });
  } finally {
    await own.stop();
  }
});
