/** Closing legacy for good, several raises by one person, and every cutover at once: over HTTP. */
import { afterEach, describe, expect, test } from "vitest";
import type { AdminOptions } from "../../../src/admin/context.ts";
import type { CutoverUnderWay } from "../../../src/ownership/under-way/figures.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { createRecordedAudit } from "../../support/recorded-audit.ts";
import { cutovers, type Rig, secretOf, sha256, startRig } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());

const path = "/api/v1/cutovers/checkout";
const people: AdminOptions["auth"] = {
  tokens: [
    { name: "ann", role: "admin", sha256: sha256(secretOf("admin")) },
    { name: "bob", role: "admin", sha256: sha256("bob") },
    { name: "olga", role: "operator", sha256: sha256(secretOf("operator")) },
    { name: "rob", role: "responder", sha256: sha256(secretOf("responder")) },
    { name: "vic", role: "viewer", sha256: sha256(secretOf("viewer")) },
  ],
};
const ann = { role: "admin" } as const;
const bob = { headers: { authorization: "Bearer bob" } };
const window = { over: 10, ttl: 60_000, window: 3_600_000 };
const limited = { ...cutovers, checkout: { ...cutovers.checkout, approval: window } };

const since = 1_740_830_400;
const counts = (count: number) => ({
  count,
  atLeast: false,
  oldestStartedAt: count === 0 ? undefined : since,
  ...(count === 0 ? {} : { oldest: [{ id: `first-of-${count}`, startedAt: since }] }),
});
const busy: CutoverUnderWay = {
  journeys: { legacy: counts(3), new: counts(9) },
  orders: { legacy: counts(1), new: counts(0) },
};
const none: CutoverUnderWay = { journeys: { legacy: counts(0), new: counts(9) } };
const underWay = (now: CutoverUnderWay) => async () => new Map([["checkout", now]]);

async function at100(more: Partial<AdminOptions>) {
  rig = await startRig(more);
  await rig.change("checkout", { action: "set", percentThousandths: 100_000 });
}
const close = (body: object = {}, who = {}) =>
  rig.call("POST", `${path}/close`, { reason: "a month at 100", ...body }, who);

describe("a close", () => {
  test("while shoppers were paying at legacy it closed them out: now it is refused, and lists them", async () => {
    const audit = createRecordedAudit();
    await at100({ underWay: underWay(busy), audit });
    const refused = await close();
    const oldestStartedAt = new Date(since * 1000).toISOString();
    expect(refused).toMatchObject({
      status: 409,
      json: {
        code: "under_way",
        detail: `legacy has 3 journeys under way and 1 unfinished order, the oldest since ${oldestStartedAt}`,
        underWay: {
          journeys: {
            open: 3,
            atLeast: false,
            oldestStartedAt,
            oldest: [{ id: "first-of-3", startedAt: oldestStartedAt }],
          },
          unfinished: { open: 1, oldest: [{ id: "first-of-1", startedAt: oldestStartedAt }] },
        },
      },
    });
    expect(audit.of("refused")).toMatchObject([{ code: "under_way", action: "close" }]);
    expect((await rig.store.history("checkout", 1))[0]?.action).toBe("set");

    expect(await close({ force: true })).toMatchObject({
      status: 200,
      json: { state: "closed", changed: true },
    });
    expect(await rig.store.history("checkout", 1)).toMatchObject([
      {
        action: "close",
        reason: "a month at 100",
        annotations: [
          { reason: expect.stringMatching(/^forced: legacy had 3 journeys under way and 1 unf/) },
        ],
      },
    ]);
    // Nothing is at stake any more.
    expect(await close()).toMatchObject({ status: 200, json: { changed: false } });
  });

  test("is refused while the store does not tell what is under way, and made where nothing is", async () => {
    await at100({ underWay: underWay({ ...none, untold: ["orders"] }) });
    expect(await close()).toMatchObject({
      status: 409,
      json: { code: "under_way", detail: expect.stringContaining("nobody can say how many orders") },
    });
    await rig.close();
    await at100({ underWay: underWay(none) });
    expect(await close()).toMatchObject({ status: 200, json: { state: "closed" } });
    await rig.close();
    await at100({});
    expect(await close()).toMatchObject({ status: 200, json: { state: "closed" } });
  });

  test("is refused by the rules first, and takes no force without a reason", async () => {
    rig = await startRig({ auth: people, underWay: underWay(busy) });
    expect(await close({}, { role: "operator" })).toMatchObject({ status: 403, json: { code: "forbidden" } });
    expect(await close({}, ann)).toMatchObject({ status: 409, json: { code: "not_complete" } });
    expect(await close({ force: true, reason: " " }, ann)).toMatchObject({ status: 422 });
  });

  test("needs another admin where raises need one, and is refused to them as it was to the first", async () => {
    const now = { ...busy };
    let figures: CutoverUnderWay = now;
    await at100({
      auth: people,
      cutovers: limited,
      underWay: async () => new Map([["checkout", figures]]),
    });
    expect(await close({}, ann)).toMatchObject({ status: 409, json: { code: "under_way" } });
    figures = none;
    const proposed = await close({}, ann);
    expect(proposed).toMatchObject({
      status: 202,
      json: { action: "close", force: false, by: "ann", version: 1 },
    });
    const { id } = proposed.json as { id: string };
    const approve = (who: object) => rig.call("POST", `${path}/proposals/${id}/approve`, undefined, who);
    expect(await approve(ann)).toMatchObject({ status: 403 });
    expect(await approve({ role: "operator" })).toMatchObject({ status: 403, json: { code: "forbidden" } });
    figures = busy;
    expect(await approve(bob)).toMatchObject({ status: 409, json: { code: "under_way" } });
    figures = none;
    expect(await approve(bob)).toMatchObject({ status: 200, json: { state: "closed", version: 2 } });
    expect(await rig.store.history("checkout", 1)).toMatchObject([
      { by: "ann, approved by bob", action: "close", reason: "a month at 100" },
    ]);
  });

  test("by force is approved as the force it was proposed with", async () => {
    await at100({ auth: people, cutovers: limited, underWay: underWay(busy) });
    const proposed = await close({ force: true }, ann);
    expect(proposed).toMatchObject({ status: 202, json: { action: "close", force: true } });
    const { id } = proposed.json as { id: string };
    expect(await rig.call("POST", `${path}/proposals/${id}/approve`, undefined, bob)).toMatchObject({
      status: 200,
      json: { state: "closed" },
    });
  });
});

test("five raises of 10 points each by one person within the hour passed four eyes: together they are a large one", async () => {
  const time = createManualTime();
  rig = await startRig({ auth: people, cutovers: limited, clock: time });
  const raise = (percent: number, who: object = ann) =>
    rig.call("PUT", `${path}/percent`, { percent, reason: "r" }, who);
  expect((await raise(6)).status).toBe(200);
  expect((await raise(10)).status).toBe(200);
  expect(await raise(10.001)).toMatchObject({ status: 202, json: { percent: 10.001 } });
  // Another person's are their own.
  expect((await raise(20, bob)).status).toBe(200);
  expect(await raise(21)).toMatchObject({ status: 202 });
  const { id } = (await raise(40)).json as { id: string };
  expect((await rig.call("POST", `${path}/proposals/${id}/approve`, undefined, bob)).status).toBe(200);
  expect((await raise(40.001, bob)).status).toBe(202);
});

describe("every cutover at once", () => {
  test("is rolled back and held in one call, each by itself in the answer", async () => {
    rig = await startRig();
    await rig.change("checkout", { action: "set", percentThousandths: 20_000 });
    await rig.change("search", { action: "set", percentThousandths: 100_000 });
    expect(await rig.call("POST", "/api/v1/hold", { reason: "look" })).toMatchObject({
      status: 200,
      json: [
        { name: "checkout", state: "held", percent: 20, changed: true, applied: { complete: true } },
        { name: "search", state: "held", percent: 100, changed: true },
      ],
    });
    await rig.change("search", { action: "resume" });
    await rig.change("search", { action: "close" });
    expect(await rig.call("POST", "/api/v1/rollback")).toMatchObject({
      status: 200,
      json: [
        { name: "checkout", state: "rolled_back", percent: 0, changed: true },
        { name: "search", refused: { code: "closed", current: { state: "closed" } } },
      ],
    });
    expect(await rig.store.history("checkout", 1)).toMatchObject([{ action: "rollback" }]);
    expect(await rig.call("POST", "/api/v1/rollback", { hard: true, ifVersion: 3 })).toMatchObject({
      status: 422,
    });
  });

  test("is what a responder may do, without the store too, and a viewer may not", async () => {
    rig = await startRig({ auth: people });
    expect(await rig.call("POST", "/api/v1/rollback", {}, { role: "viewer" })).toMatchObject({ status: 403 });
    rig.connection = "down";
    const local = { state: "rolled_back", applied: { scope: "local", instances: 1 } };
    expect(await rig.call("POST", "/api/v1/rollback", {}, { role: "responder" })).toMatchObject({
      status: 200,
      json: [
        { name: "checkout", ...local },
        { name: "search", ...local },
      ],
    });
  });
});
