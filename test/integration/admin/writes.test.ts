import { request } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { cutoverView } from "../../../src/admin/api/cutover-view.ts";
import { writeAnswer } from "../../../src/admin/api/write.ts";
import { type Rig, startRig, tokens, until } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());

const at = (call: string) => `/api/v1/cutovers/checkout/${call}`;

/** A request exactly as written, without what fetch adds. @returns the status */
function bare(headers: Record<string, string>, body = ""): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: rig.port, method: "POST", path: at("rollback"), headers };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("a write", () => {
  test("is answered when it is applied, with how long that took", async () => {
    rig = await startRig();
    const { status, json } = await rig.call("PUT", at("percent"), { percent: 12.345, reason: "step" });
    expect(status).toBe(200);
    expect(json).toEqual({
      name: "checkout",
      percent: 12.345,
      state: "open",
      version: 1,
      changed: true,
      applied: {
        at: { id: "one", name: "one" },
        instances: 1,
        of: 1,
        ms: expect.any(Number),
        committedMs: expect.any(Number),
        scope: "fleet",
        complete: true,
        completeBy: expect.any(String),
        lagging: [],
      },
    });
    expect(writeAnswer.parse(json).applied.ms).toBeLessThan(2000);
    expect((await rig.call("GET", "/api/v1/cutovers/checkout")).json).toMatchObject({ percent: 12.345 });
  });

  test("walks a cutover to its close", async () => {
    rig = await startRig();
    const steps = [
      ["PUT", "percent", { percent: 50, reason: "r" }, { percent: 50, state: "open", version: 1 }],
      ["POST", "hold", undefined, { percent: 50, state: "held", version: 2 }],
      ["POST", "resume", { reason: "r" }, { percent: 50, state: "open", version: 3 }],
      ["POST", "rollback", { reason: "errors up" }, { percent: 0, state: "rolled_back", version: 4 }],
      ["POST", "rollback", { hard: true }, { percent: 0, state: "rolled_back", version: 5 }],
      ["POST", "resume", { reason: "r" }, { percent: 0, state: "open", version: 6 }],
      ["PUT", "percent", { percent: 100, reason: "r" }, { percent: 100, state: "open", version: 7 }],
      ["POST", "close", { reason: "r" }, { percent: 100, state: "closed", version: 8 }],
    ] as const;
    for (const [method, call, body, expected] of steps) {
      const reply = await rig.call(method, at(call), body);
      expect(reply).toMatchObject({ status: 200, json: { ...expected, changed: true } });
    }
    expect((await rig.call("GET", "/api/v1/cutovers/checkout")).json).toMatchObject({ pinEpoch: 1 });
  });

  test("that changes nothing is accepted and makes no version", async () => {
    rig = await startRig();
    await rig.call("POST", at("hold"));
    const again = await rig.call("POST", at("hold"), { reason: "again" });
    expect(again).toMatchObject({ status: 200, json: { changed: false, version: 1 } });
  });

  test("waits for every live instance, at most waitMs, and tells how many have applied it", async () => {
    rig = await startRig();
    const record = { id: "two", startedAt: "", seenAt: "", versions: { checkout: 0 }, traffic: {} };
    await rig.store.acknowledge(record);
    const impatient = await rig.call("POST", at("hold"), { waitMs: 100 });
    expect(writeAnswer.parse(impatient.json).applied).toMatchObject({ instances: 1, of: 2 });
    expect(writeAnswer.parse(impatient.json).applied.ms).toBeGreaterThanOrEqual(100);

    await rig.store.acknowledge(record);
    const patient = rig.call("POST", at("resume"), { reason: "r", waitMs: 5000 });
    await until(async () => (await rig.store.history("checkout", 1))[0]?.version === 2);
    await rig.store.acknowledge({ ...record, versions: { checkout: 2 } });
    expect(writeAnswer.parse((await patient).json).applied).toMatchObject({ instances: 2, of: 2 });
  });

  test("that stands although the store then fell silent is not answered as one that failed", async () => {
    rig = await startRig();
    await rig.store.acknowledge({
      id: "two",
      startedAt: "",
      seenAt: "",
      versions: { checkout: 0 },
      traffic: {},
    });
    await rig.call("GET", "/api/v1/cutovers");
    const pending = rig.call("POST", at("hold"), { waitMs: 300 });
    await until(async () => (await rig.store.history("checkout", 1)).length === 1);
    rig.connection = "down";
    const { status, json } = await pending;
    expect(status).toBe(200);
    const { instances, of } = writeAnswer.parse(json).applied;
    expect({ of, isEverywhere: instances === of }).toEqual({ of: 2, isEverywhere: false });
  });

  test("that is waiting when the server closes is still answered", async () => {
    rig = await startRig();
    await rig.store.acknowledge({
      id: "two",
      startedAt: "",
      seenAt: "",
      versions: { checkout: 0 },
      traffic: {},
    });
    const pending = rig.call("POST", at("hold"), { waitMs: 500 });
    await until(async () => (await rig.store.history("checkout", 1)).length === 1);
    const began = Date.now();
    await Promise.all([rig.close(), pending.then(({ status }) => expect(status).toBe(200))]);
    expect(Date.now() - began).toBeLessThan(2500);
  });

  test("is written down with the token's name, never with its secret", async () => {
    rig = await startRig({ auth: tokens });
    await rig.call("POST", at("hold"), undefined, { role: "responder" });
    const lines = JSON.stringify(rig.lines);
    expect(lines).toContain("ops-responder");
    expect(lines).not.toContain("secret-of");
    expect(await rig.store.history("checkout", 1)).toMatchObject([{ by: "ops-responder" }]);
  });
});

describe("without the store", () => {
  test("a rollback is made on this instance alone, says so, and is reconciled when the store is back", async () => {
    rig = await startRig({ auth: tokens });
    await rig.change("checkout", { action: "set", percentThousandths: 50_000 });
    await until(async () => (await view()).percent === 50);
    rig.connection = "down";
    const reply = await rig.call("POST", at("rollback"), { reason: "errors" }, { role: "responder" });
    expect(reply).toMatchObject({
      status: 200,
      json: {
        percent: 0,
        state: "rolled_back",
        version: 1,
        changed: true,
        applied: { instances: 1, scope: "local", complete: false, completeBy: null },
      },
    });
    expect(writeAnswer.parse(reply.json).applied.ms).toBeLessThan(1000);
    expect(await view()).toMatchObject({ state: "rolled_back", scope: "local", updatedBy: "ops-responder" });
    rig.connection = "up";
    await until(async () => (await view()).scope === "fleet");
    expect(await view()).toMatchObject({ state: "rolled_back", version: 2 });
    expect(await rig.store.history("checkout", 1)).toMatchObject([
      { action: "reconciled", by: "ops-responder", reason: expect.stringContaining("alone at") },
    ]);
  });

  test.each(["open", "held"])(
    "a resume was said to be done, the store being %s, while this instance held by itself",
    async (stands) => {
      rig = await startRig({ auth: tokens });
      await rig.change("checkout", { action: "set", percentThousandths: 50_000 });
      if (stands === "held") await rig.change("checkout", { action: "hold" });
      await until(async () => (await view()).state === stands && (await view()).percent === 50);
      rig.connection = "refusing";
      const lowered = await rig.call("POST", at("rollback"), { reason: "errors" }, { role: "responder" });
      expect(lowered.json).toMatchObject({ state: "rolled_back", applied: { scope: "local" } });
      const asOperator = { role: "operator" } as const;
      for (const ask of [
        () => rig.call("POST", at("resume"), { reason: "over" }, asOperator),
        () => rig.call("PUT", at("percent"), { percent: 50, reason: "over" }, asOperator),
      ]) {
        const { status, json } = await ask();
        expect({ status, json }).toMatchObject({ status: 503, json: { code: "store_unavailable" } });
      }
      expect(await view()).toMatchObject({ state: "rolled_back", scope: "local" });
      expect(await rig.store.history("checkout", 1)).toMatchObject([
        { action: stands === "held" ? "hold" : "set" },
      ]);
      rig.connection = "up";
      await until(async () => (await view()).scope === "fleet");
      expect(await rig.call("POST", at("resume"), { reason: "over" }, asOperator)).toMatchObject({
        status: 200,
        json: { state: "open", changed: true },
      });
    },
  );

  test("the rule book holds: roles, versions and states", async () => {
    rig = await startRig({ auth: tokens });
    await rig.change("checkout", { action: "set", percentThousandths: 100_000 });
    await rig.change("search", { action: "set", percentThousandths: 100_000 });
    await rig.change("search", { action: "close" });
    await until(async () => (await view("search")).state === "closed" && (await view()).percent === 100);
    rig.connection = "down";
    const refused = async (role: "viewer" | "responder", call: string, body: object) => {
      const { status, json } = await rig.call("POST", `/api/v1/cutovers/${call}`, body, { role });
      return { status, json };
    };
    expect(await refused("viewer", "checkout/rollback", {})).toMatchObject({ status: 403 });
    expect(await refused("responder", "checkout/rollback", { ifVersion: 7 })).toMatchObject({
      status: 409,
      json: { code: "version_conflict" },
    });
    expect(await refused("responder", "search/rollback", {})).toMatchObject({ json: { code: "closed" } });
    await rig.call("POST", at("rollback"), {}, { role: "responder" });
    expect(await refused("responder", "checkout/hold", {})).toMatchObject({ json: { code: "rolled_back" } });
  });

  async function view(name = "checkout") {
    const { json } = await rig.call("GET", `/api/v1/cutovers/${name}`, undefined, { role: "viewer" });
    return cutoverView.parse(json);
  }
});

describe("a rollback at three in the morning", () => {
  test("needs no body and no content type", async () => {
    rig = await startRig();
    expect(await bare({})).toBe(200);
    expect(await bare({ "content-length": "0" })).toBe(200);
    expect(await bare({ "content-length": "0", "content-type": "application/json" })).toBe(200);
    expect(await bare({ "content-length": "0", "content-type": "application/x-www-form-urlencoded" })).toBe(
      200,
    );
  });
});

describe("a refusal", () => {
  test("of the rule book is 409 with its code, and tells how the cutover stands", async () => {
    rig = await startRig();
    const raise = () => rig.call("PUT", at("percent"), { percent: 60, reason: "r" });
    expect(await rig.call("POST", at("close"), { reason: "r" })).toMatchObject({
      status: 409,
      json: { code: "not_complete" },
    });
    await rig.call("POST", at("hold"));
    expect(await raise()).toMatchObject({ status: 409, json: { code: "held" } });
    await rig.call("POST", at("rollback"));
    expect(await raise()).toMatchObject({
      status: 409,
      json: { code: "rolled_back", current: { percent: 0, state: "rolled_back", version: 2 } },
    });
    await rig.change("search", { action: "set", percentThousandths: 100_000 });
    await rig.change("search", { action: "close" });
    const closed = await rig.call("POST", "/api/v1/cutovers/search/rollback");
    expect(closed).toMatchObject({ status: 409, json: { code: "closed" } });
  });

  test("for another version than the caller saw is 409 version_conflict, and only when it was asked for", async () => {
    rig = await startRig();
    await rig.call("POST", at("hold"));
    const stale = await rig.call("POST", at("rollback"), { ifVersion: 0 });
    expect(stale).toMatchObject({ status: 409, json: { code: "version_conflict", current: { version: 1 } } });
    expect((await rig.call("POST", at("rollback"), { ifVersion: 1 })).status).toBe(200);
  });

  test("for want of a role is 403", async () => {
    rig = await startRig({ auth: tokens });
    const forbidden = { status: 403, json: { code: "forbidden" } };
    const raise = { percent: 1, reason: "r" };
    expect(await rig.call("POST", at("hold"), undefined, { role: "viewer" })).toMatchObject(forbidden);
    expect(await rig.call("PUT", at("percent"), raise, { role: "responder" })).toMatchObject(forbidden);
    expect(await rig.call("POST", at("close"), { reason: "r" }, { role: "operator" })).toMatchObject(
      forbidden,
    );
    expect((await rig.call("PUT", at("percent"), raise, { role: "operator" })).status).toBe(200);
    expect((await rig.call("POST", at("rollback"), undefined, { role: "responder" })).status).toBe(200);
  });

  test("of a body is 422 and names the field", async () => {
    rig = await startRig();
    const cases: [string, string, unknown, string][] = [
      ["PUT", "percent", { percent: 101, reason: "r" }, "percent"],
      ["PUT", "percent", { percent: 1.2345, reason: "r" }, "percent"],
      ["PUT", "percent", { percent: "10", reason: "r" }, "percent"],
      ["PUT", "percent", { percent: -1, reason: "r" }, "percent"],
      ["PUT", "percent", { percent: 10 }, "reason"],
      ["PUT", "percent", { percent: 10, reason: " \t\n" }, "reason"],
      ["POST", "resume", undefined, "reason"],
      ["POST", "resume", { reason: "   " }, "reason"],
      ["POST", "close", {}, "reason"],
      ["POST", "hold", { waitMs: 60_001 }, "waitMs"],
      ["POST", "hold", { ifVersion: -1 }, "ifVersion"],
      ["POST", "hold", { reason: "x".repeat(501) }, "reason"],
      ["POST", "rollback", { hard: "yes" }, "hard"],
    ];
    for (const [method, call, body, field] of cases) {
      const reply = await rig.call(method, at(call), body);
      expect(reply).toMatchObject({ status: 422, json: { code: "invalid" } });
      expect(reply.json).toMatchObject({
        errors: expect.arrayContaining([expect.objectContaining({ field })]),
      });
      expect(reply.json).toMatchObject({ detail: expect.stringContaining(`${field}: `) });
    }
    expect(await rig.store.history("checkout", 1)).toEqual([]);
  });

  test("of a key nobody knows is 422", async () => {
    rig = await startRig();
    for (const body of ['{"reazon":"x"}', '{"__proto__":{"hard":true}}', "null", "[]", '"text"', "7"]) {
      const reply = await rig.call("POST", at("rollback"), body);
      expect({ body, status: reply.status, json: reply.json }).toMatchObject({ status: 422 });
    }
  });

  test("of what is no JSON is 400, of another type 415, of too much 413", async () => {
    rig = await startRig();
    for (const body of ["{", '{"percent":NaN}', "\u0000", "{'reason':1}"]) {
      expect(await rig.call("POST", at("hold"), body)).toMatchObject({
        status: 400,
        json: { code: "malformed_body" },
      });
    }
    const latin = new Uint8Array([0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d]);
    const response = await fetch(rig.url + at("hold"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: latin,
    });
    expect(response.status).toBe(400);
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "nonsense", "application/jsonx"]) {
      const reply = await rig.call("POST", at("hold"), "{}", { headers: { "content-type": type } });
      expect({ type, ...reply }).toMatchObject({ status: 415, json: { code: "unsupported_media_type" } });
    }
    const large = JSON.stringify({ reason: "x".repeat(70_000) });
    expect(await rig.call("POST", at("hold"), large)).toMatchObject({
      status: 413,
      json: { code: "body_too_large" },
    });
  });

  test("of a query is 422", async () => {
    rig = await startRig();
    for (const query of [
      "limit=0",
      "limit=1001",
      "limit=x",
      "limit=",
      "limit=1.5",
      "limit=1&limit=2",
      "lim=3",
    ]) {
      const reply = await rig.call("GET", `${at("history")}?${query}`);
      expect({ query, ...reply }).toMatchObject({ status: 422, json: { code: "invalid" } });
    }
    expect((await rig.call("GET", `${at("explain")}?method=post`)).status).toBe(422);
    expect((await rig.call("GET", `${at("explain")}?shopper=a&shopper=b`)).status).toBe(422);
  });

  test("of a method is 405 with Allow (RFC 9110 §15.5.6)", async () => {
    rig = await startRig();
    const cases: [string, string, string][] = [
      ["DELETE", "/api/v1/cutovers/checkout", "GET, HEAD"],
      ["POST", at("percent"), "PUT"],
      ["GET", at("rollback"), "POST"],
      ["HEAD", "/api/v1/events", "GET"],
      ["POST", "/metrics", "GET, HEAD"],
    ];
    for (const [method, path, allow] of cases) {
      const reply = await rig.call(method, path);
      expect({ path, status: reply.status, allow: reply.headers.get("allow") }).toEqual({
        path,
        status: 405,
        allow,
      });
      if (method !== "HEAD") expect(reply.json).toMatchObject({ code: "method_not_allowed" });
    }
  });
});

test("a reason with characters that nobody sees stops no rollback: they are shown as they are called", async () => {
  rig = await startRig();
  const said = { reason: "errors \u202eup\u200b" };
  const headers = { "x-cutover-via": "console" };
  expect((await rig.call("POST", at("rollback"), said, { headers })).status).toBe(200);
  const shown = "errors \\u{202e}up\\u{200b}";
  expect((await rig.call("GET", at("history"))).json).toMatchObject([
    // What a caller says of itself is not asked.
    { action: "rollback", reason: shown, via: "api" },
  ]);
  expect((await rig.call("GET", "/api/v1/cutovers/checkout")).json).toMatchObject({ reason: shown });
});
