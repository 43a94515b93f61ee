import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { cutoverView } from "../../../src/admin/api/cutover-view.ts";
import { historyEntry } from "../../../src/admin/api/history-view.ts";
import { instanceView } from "../../../src/admin/api/instance-view.ts";
import { cutovers, type Rig, startRig, tokens, until } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());

const none = { clientErrors: 0, shares: null, inFlight: 0, oldestInFlightSeconds: null };
const quiet = { requests: 0, errors: 0, errorRate: null, p50: null, p99: null, ...none };

const nameless = "requests that name no shopper, as crawlers, monitors and preflights send them";

describe("reading cutovers", () => {
  test("lists them as a bare array in the order of the configuration", async () => {
    rig = await startRig();
    const { status, json } = await rig.call("GET", "/api/v1/cutovers");
    expect(status).toBe(200);
    expect(json).toEqual([
      {
        name: "checkout",
        legacy: "social-shop",
        new: "marketplace",
        percent: 0,
        state: "open",
        version: 0,
        pinEpoch: 0,
        updatedAt: "",
        updatedBy: "",
        reason: "",
        scope: "fleet",
        traffic: { windowSeconds: 60, legacy: quiet, new: quiet },
        journeys: null,
        unfinished: null,
        instances: { live: 1, applied: 1, silent: [] },
        store: { reachable: true, writable: true, since: null, word: null },
        guard: {
          ...{ guarded: false, verdict: null, leader: null, silent: [] },
          sentence: "the guard is off: nobody watches the sides",
        },
        stillLegacy: [
          { reason: "anonymous", text: `${nameless}: anonymous is legacy` },
          { reason: "bucket", text: "100% of shoppers, by their bucket" },
        ],
        warnings: [],
      },
      expect.objectContaining({ name: "search", legacy: "old-search", new: "new-search" }),
    ]);
  });

  test("says what still goes to legacy and why, as it is configured and by what is under way", async () => {
    const day = 86_400_000;
    const one = { count: 12, atLeast: false, oldestStartedAt: undefined };
    const sides = { legacy: one, new: { ...one, count: 0 } };
    rig = await startRig({
      cutovers: {
        checkout: {
          ...cutovers.checkout,
          anonymous: "new-at-100",
          visit: { for: 60_000, max: day },
          force: {},
        },
        search: { ...cutovers.search, fallback: true, visit: { for: 1 } },
      },
      underWay: async () =>
        new Map([["checkout", { journeys: sides, orders: { ...sides, legacy: { ...one, atLeast: true } } }]]),
    });
    const still = async (name = "checkout") => {
      const { json } = await rig.call("GET", `/api/v1/cutovers/${name}`);
      return cutoverView.parse(json).stillLegacy.map(({ reason, text }) => `${reason}: ${text}`);
    };
    await rig.call("PUT", "/api/v1/cutovers/checkout/percent", { percent: 33.3, reason: "one" });
    const underWay = [
      "owner: at least 12 unfinished orders that it owns",
      "journey: 12 journeys under way that began there",
    ];
    const visits = expect.stringMatching(/^visit: visits that began there, until 2\S+Z at the latest$/);
    expect(await still()).toEqual([
      ...underWay,
      "forced: testers who ask for it",
      `anonymous: ${nameless}, until 100%`,
      visits,
      "bucket: 66.7% of shoppers, by their bucket",
    ]);
    await rig.call("PUT", "/api/v1/cutovers/checkout/percent", { percent: 100, reason: "all" });
    expect(await still()).toEqual([...underWay, "forced: testers who ask for it", visits]);
    await rig.call("POST", "/api/v1/cutovers/checkout/rollback");
    expect(await still()).toEqual([...underWay, "rolled_back: all that begins: the cutover is rolled back"]);
    await rig.call("PUT", "/api/v1/cutovers/search/percent", { percent: 100, reason: "all" });
    await until(async () => !(await still("search")).some((text) => text.startsWith("visit")));
    expect(await still("search")).toEqual([
      `anonymous: ${nameless}: anonymous is legacy`,
      "fallback: what can not be connected to new",
    ]);
    await rig.call("POST", "/api/v1/cutovers/search/close", { reason: "done", force: true });
    expect(await still("search")).toEqual([]);
  });

  test("shows who changed it last, when and why, exact to three decimals", async () => {
    rig = await startRig();
    await rig.call("PUT", "/api/v1/cutovers/checkout/percent", { percent: 4.035, reason: " step 1 " });
    const { json } = await rig.call("GET", "/api/v1/cutovers/checkout");
    expect(cutoverView.parse(json)).toMatchObject({
      percent: 4.035,
      version: 1,
      updatedBy: "anonymous",
      reason: "step 1",
    });
    expect(Date.parse(cutoverView.parse(json).updatedAt)).toBeGreaterThan(Date.now() - 60_000);
  });

  test("merges the traffic figures of all live instances and counts who has applied the version", async () => {
    rig = await startRig();
    rig.traffic.recorder("checkout", "all").record("new", "ok", 0.02);
    const seenAt = new Date().toISOString();
    const other = {
      windowSeconds: 60,
      legacy: { errors: 0, latency: [] },
      new: { errors: 1, latency: [40, 3] },
    };
    await rig.store.acknowledge({
      id: "two",
      startedAt: seenAt,
      seenAt,
      versions: { checkout: 0 },
      traffic: { checkout: other },
    });
    await rig.change("checkout", { action: "hold" });
    await until(
      async () => cutoverView.parse((await rig.call("GET", "/api/v1/cutovers/checkout")).json).version === 1,
    );
    const view = cutoverView.parse((await rig.call("GET", "/api/v1/cutovers/checkout")).json);
    expect(view.instances).toEqual({ live: 2, applied: 1, silent: [] });
    expect(view.traffic.new).toMatchObject({ requests: 4, errors: 1, errorRate: 0.25 });
  });

  test("lists the instances with the versions they decide by", async () => {
    rig = await startRig();
    await rig.change("checkout", { action: "hold" });
    await until(async () => {
      const [one] = instanceView.array().parse((await rig.call("GET", "/api/v1/instances")).json);
      return one?.versions.checkout === 1;
    });
    const { json } = await rig.call("GET", "/api/v1/instances");
    expect(json).toEqual([
      {
        ...{ id: "one", name: "one", address: null, pid: null, config: null },
        startedAt: expect.any(String),
        seenAt: expect.any(String),
        versions: { checkout: 1, search: 0 },
        inFlight: { checkout: { legacy: 0, new: 0 }, search: { legacy: 0, new: 0 } },
      },
    ]);
  });

  test("gives the history newest first, at most as many as asked for", async () => {
    rig = await startRig();
    await rig.call("PUT", "/api/v1/cutovers/checkout/percent", { percent: 10, reason: "first" });
    await rig.call("POST", "/api/v1/cutovers/checkout/rollback", { hard: true });
    const { json } = await rig.call("GET", "/api/v1/cutovers/checkout/history");
    expect(historyEntry.array().parse(json)).toEqual([
      {
        version: 2,
        at: expect.any(String),
        by: "anonymous",
        action: "rollback_hard",
        from: { percent: 10, state: "open" },
        to: { percent: 0, state: "rolled_back" },
        reason: "",
        via: "api",
        requestId: expect.any(String),
        annotations: [],
      },
      {
        version: 1,
        at: expect.any(String),
        by: "anonymous",
        action: "set",
        from: { percent: 0, state: "open" },
        to: { percent: 10, state: "open" },
        reason: "first",
        via: "api",
        requestId: expect.any(String),
        annotations: [],
      },
    ]);
    const limited = await rig.call("GET", "/api/v1/cutovers/checkout/history?limit=1");
    expect(historyEntry.array().parse(limited.json)).toHaveLength(1);
  });

  test("explains a decision, and says when no route matches", async () => {
    rig = await startRig();
    const base = "/api/v1/cutovers/checkout/explain";
    const found = await rig.call("GET", `${base}?shopper=ana%20b&path=/checkout&method=POST`);
    expect(found.json).toEqual({
      side: "legacy",
      reason: "bucket",
      bucket: 4711,
      percent: 0,
      version: 0,
      owner: null,
      journey: null,
      routes: [],
      sentence: "legacy, because.",
      past: null,
    });
    expect((await rig.call("GET", `${base}?key=INV-7`)).json).toMatchObject({
      owner: { side: null, by: "nobody" },
    });
    expect((await rig.call("GET", base)).json).toMatchObject({ reason: "anonymous", bucket: null });
    expect(await rig.call("GET", `${base}?path=/nowhere`)).toMatchObject({
      status: 404,
      json: { code: "not_found" },
    });
  });
});

describe("with the store out of reach", () => {
  for (const connection of ["down", "silent"] as const) {
    test(`goes on reading from memory, knowing this instance alone (${connection})`, async () => {
      rig = await startRig();
      await rig.call("PUT", "/api/v1/cutovers/checkout/percent", { percent: 30, reason: "r" });
      const seenAt = new Date().toISOString();
      const two = { id: "two", startedAt: seenAt, seenAt, versions: { checkout: 1 }, traffic: {} };
      await rig.store.acknowledge(two);
      expect((await rig.call("GET", "/api/v1/cutovers/checkout")).json).toMatchObject({
        instances: { live: 2 },
      });

      rig.connection = connection;
      const began = Date.now();
      const { status, json } = await rig.call("GET", "/api/v1/cutovers");
      expect(status).toBe(200);
      expect(json).toMatchObject([{ percent: 30, version: 1, instances: { live: 1, applied: 1 } }, {}]);
      // The other one is told of as unheard as soon as a look, of which there is one a second, has met it.
      const [{ instances }] = z.tuple([cutoverView, cutoverView]).parse(json);
      expect([[], ["two"]]).toContainEqual(instances.silent.map(({ id }) => id));
      expect((await rig.call("GET", "/api/v1/instances")).json).toMatchObject([{ id: "one" }]);
      expect(Date.now() - began).toBeLessThan(2500);
    });
  }

  test("answers 503 where only the store knows: history, and writes other than a rollback and a hold", async () => {
    rig = await startRig();
    rig.connection = "down";
    const lost = { status: 503, json: { code: "store_unavailable", status: 503 } };
    expect(await rig.call("GET", "/api/v1/cutovers/checkout/history")).toMatchObject(lost);
    const calls = [
      ["PUT", "percent", { percent: 5, reason: "r" }],
      ["POST", "resume", { reason: "r" }],
      ["POST", "close", { reason: "r" }],
    ] as const;
    for (const [method, call, body] of calls) {
      expect(await rig.call(method, `/api/v1/cutovers/checkout/${call}`, body)).toMatchObject(lost);
    }
  });

  test("answers the history with 503 within 3 s of a store that says nothing", async () => {
    rig = await startRig();
    rig.connection = "silent";
    const began = Date.now();
    expect((await rig.call("GET", "/api/v1/cutovers/checkout/history")).status).toBe(503);
    expect(Date.now() - began).toBeLessThan(3000);
  });
});

describe("what is not there", () => {
  test("is 404 for an unknown cutover and an unknown path, with a token only", async () => {
    rig = await startRig({ auth: tokens });
    for (const path of [
      "/api/v1/cutovers/nope",
      "/api/v1/cutovers/__proto__",
      "/api/v1/cutovers/constructor/history",
      "/api/v1/cutovers/nope/explain",
      "/api/v2",
      "/api/v1/cutovers/",
      "/%zz",
      `/api/v1/cutovers/${"x".repeat(300)}`,
      "/console.css",
    ]) {
      const reply = await rig.call("GET", path, undefined, { role: "viewer" });
      expect({ path, status: reply.status, json: reply.json }).toMatchObject({
        status: 404,
        json: { code: "not_found", title: "Not Found", type: "about:blank" },
      });
      expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      expect((await rig.call("GET", path)).status).toBe(401);
    }
  });

  test("is 404 for a write to an unknown cutover, whatever its body", async () => {
    rig = await startRig();
    expect(await rig.call("POST", "/api/v1/cutovers/nope/resume", { nonsense: 1 })).toMatchObject({
      status: 404,
    });
  });
});
