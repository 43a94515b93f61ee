/** Cutovers that go one after another, and cohorts that stay on legacy: over HTTP. */
import { afterEach, describe, expect, test } from "vitest";
import { cutoverView } from "../../../src/admin/api/cutover-view.ts";
import { nextRaise, whyNotApproved } from "../../../src/admin/api/offers.ts";
import type { AdminOptions } from "../../../src/admin/context.ts";
import { createRecordedAudit } from "../../support/recorded-audit.ts";
import { cutovers, type Rig, startRig, tokens } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());

const path = "/api/v1/cutovers/checkout";
const ordered = {
  search: { ...cutovers.search, group: "shop" },
  checkout: { ...cutovers.checkout, group: "shop", after: "search" },
} satisfies AdminOptions["cutovers"];
const to = (percent: number) => ({ action: "set", percentThousandths: percent * 1000 }) as const;
const raise = (percent: number, who = {}) =>
  rig.call("PUT", `${path}/percent`, { percent, reason: "x" }, who);
const close = (body: object = {}) => rig.call("POST", `${path}/close`, { reason: "x", ...body });
const view = async () => (await rig.call("GET", path)).json;

describe("a raise above what it goes after", () => {
  test("is refused by name, is in the audit, and done once that was raised, past this instance too", async () => {
    const audit = createRecordedAudit();
    rig = await startRig({ cutovers: ordered, audit });
    await rig.change("search", to(25));
    const refused = await raise(50);
    expect(refused).toMatchObject({
      status: 409,
      json: {
        code: "without_effect",
        detail: "checkout goes after search, which lets it go no further than 25%: raise search first",
        current: { percent: 0, state: "open", version: 0 },
      },
    });
    expect(audit.of("refused")).toMatchObject([{ code: "without_effect", action: "set" }]);
    expect(await raise(25)).toMatchObject({ status: 200, json: { percent: 25 } });
    await rig.change("search", to(50));
    expect(await raise(50)).toMatchObject({ status: 200, json: { percent: 50 } });
  });

  test("is refused by the rules first, and never stops who lowers, holds or rolls back", async () => {
    rig = await startRig({ cutovers: ordered, auth: tokens });
    await rig.change("search", to(50));
    await rig.change("checkout", to(50));
    await rig.change("search", { action: "rollback" });
    expect(await raise(60, { role: "responder" })).toMatchObject({ json: { code: "forbidden" } });
    const operator = { role: "operator" } as const;
    expect(await raise(60, operator)).toMatchObject({ json: { code: "without_effect" } });
    expect(await raise(40, operator)).toMatchObject({ status: 200 });
    await rig.change("checkout", { action: "hold" });
    expect(await raise(60, operator)).toMatchObject({ json: { code: "held" } });
    expect(await rig.call("POST", `${path}/rollback`, {}, operator)).toMatchObject({ status: 200 });
  });

  test("does not become a proposal", async () => {
    const approval = { over: 10, ttl: 60_000 };
    rig = await startRig({
      cutovers: { ...ordered, checkout: { ...ordered.checkout, approval } },
      auth: tokens,
    });
    await rig.change("search", to(25));
    expect(await raise(50, { role: "operator" })).toMatchObject({
      status: 409,
      json: { code: "without_effect" },
    });
    expect(await raise(20, { role: "operator" })).toMatchObject({ status: 202 });
  });

  test("of a cohort is compared with the cohort of that name", async () => {
    const cohorts = [{ name: "jakarta", percent: 0 }];
    const both = { search: { ...ordered.search, cohorts }, checkout: { ...ordered.checkout, cohorts } };
    rig = await startRig({ cutovers: both });
    await rig.change("search", { ...to(40), cohort: "jakarta" });
    const raiseJakarta = (percent: number) =>
      rig.call("PUT", `${path}/cohorts/jakarta/percent`, { percent, reason: "x" });
    expect(await raiseJakarta(50)).toMatchObject({ json: { code: "without_effect" } });
    expect(await raiseJakarta(40)).toMatchObject({ status: 200 });
    await rig.change("search", { ...to(10), cohort: "jakarta" });
    await raise(0);
    expect(await view()).toMatchObject({
      cohorts: [{ name: "jakarta", percent: 40, limit: 10, effectivePercent: 10 }],
      warnings: [{ code: "held_by_after", text: expect.stringContaining("10% of jakarta's 40%") }],
    });
  });
});

describe("what is offered", () => {
  const shown = async () =>
    cutoverView.parse((await rig.call("GET", path, undefined, { role: "viewer" })).json);

  test("as the next raise was refused as without effect: whatever is offered now is taken", async () => {
    const approval = { over: 10, ttl: 60_000 };
    rig = await startRig({
      cutovers: { ...ordered, checkout: { ...ordered.checkout, approval } },
      auth: tokens,
    });
    const operator = { role: "operator" } as const;
    const offered: unknown[] = [];
    for (const [ahead, own] of [0, 3, 10, 30, 100].flatMap((each) =>
      [0, 1, 2, 9].map((at) => [each, at] as const),
    )) {
      await rig.change("search", to(ahead));
      await rig.change("checkout", to(own));
      await rig.call("PUT", "/api/v1/cutovers/search/percent", { percent: ahead, reason: "seen" }, operator);
      await raise(own, operator);
      const offer = nextRaise(await shown(), "operator");
      offered.push([ahead, own, offer?.kind === "none" ? "none" : offer?.to]);
      if (offer === undefined || offer.kind === "none") {
        expect(await raise(own + 1, operator)).toMatchObject({ json: { code: "without_effect" } });
        continue;
      }
      expect(await raise(offer.to, operator)).toMatchObject({ status: offer.kind === "made" ? 200 : 202 });
    }
    expect(offered).toEqual(
      expect.arrayContaining([
        [0, 0, "none"],
        [3, 2, 3],
        [10, 9, 10],
        [30, 9, 10],
      ]),
    );
  });

  test("is told with what it is refused for, in every state and role", async () => {
    rig = await startRig({ cutovers: ordered });
    await rig.change("search", to(25));
    await rig.change("checkout", to(25));
    await rig.call("PUT", `${path}/percent`, { percent: 25, reason: "seen" });
    expect(nextRaise(await shown(), "operator")).toEqual({
      kind: "none",
      why: "search lets it go no further than 25%: raise search first",
    });
    expect(nextRaise(await shown(), "responder")).toMatchObject({
      kind: "none",
      why: "it takes the role operator",
    });
    for (const [action, why] of [
      ["hold", "it is held: resume it first"],
      ["rollback", "it is rolled back: resume it first"],
    ] as const) {
      await rig.call("POST", `${path}/${action}`, {});
      expect(nextRaise(await shown(), "operator")).toEqual({ kind: "none", why });
    }
  });

  test("as an approval would have been refused, for what goes ahead has gone back since it was proposed", async () => {
    const approval = { over: 10, ttl: 60_000 };
    rig = await startRig({
      cutovers: { ...ordered, checkout: { ...ordered.checkout, approval } },
      auth: tokens,
    });
    await rig.change("search", to(50));
    expect(await raise(50, { role: "operator" })).toMatchObject({ status: 202 });
    await rig.call(
      "PUT",
      "/api/v1/cutovers/search/percent",
      { percent: 50, reason: "seen" },
      { role: "operator" },
    );
    const proposed = await shown();
    expect(whyNotApproved(proposed, "operator")).toBeUndefined();
    expect(whyNotApproved(proposed, "responder")).toBe("it takes the role operator");
    await rig.call("POST", "/api/v1/cutovers/search/rollback", {}, { role: "operator" });
    const held = await shown();
    expect(whyNotApproved(held, "admin")).toBe("search lets it go no further than 0%: raise search first");
    const { id } = held.proposal ?? {};
    const approved = await rig.call("POST", `${path}/proposals/${id}/approve`, {}, { role: "admin" });
    expect(approved).toMatchObject({ status: 409, json: { code: "without_effect" } });
  });
});

test("what is in effect is shown where it is another than what stands, with a warning", async () => {
  rig = await startRig({ cutovers: ordered });
  await rig.change("search", to(50));
  await rig.change("checkout", to(50));
  await raise(50);
  expect(await view()).toMatchObject({ percent: 50, after: { name: "search", percent: 50, state: "open" } });
  expect(await view()).not.toHaveProperty("effectivePercent");
  await rig.change("search", to(10));
  await rig.call("PUT", "/api/v1/cutovers/search/percent", { percent: 10, reason: "seen" });
  expect(await view()).toMatchObject({
    percent: 50,
    effectivePercent: 10,
    after: { name: "search", percent: 10, heldBy: "search" },
    stillLegacy: expect.arrayContaining([{ reason: "bucket", text: "90% of shoppers, by their bucket" }]),
    warnings: [
      { code: "held_by_after", text: "in effect is 10% of 50%: it goes after search, and never further" },
    ],
  });
  const page = await rig.call("GET", "/");
  expect(page.text).toContain("in effect is 10% of 50%");
});

test("a hard rollback says whose journeys it does not take away", async () => {
  rig = await startRig({ cutovers: ordered });
  await rig.change("search", to(50));
  const rollBack = (name: string, hard: boolean) =>
    rig.call("POST", `/api/v1/cutovers/${name}/rollback`, { hard });
  expect(await rollBack("search", true)).toMatchObject({
    status: 200,
    json: {
      warnings: [{ code: "followers_go_on", text: expect.stringContaining("checkout goes after it") }],
    },
  });
  expect((await rollBack("checkout", true)).text).not.toContain("followers_go_on");
  expect((await rollBack("search", false)).text).not.toContain("followers_go_on");
});

describe("a close", () => {
  test("is refused before that of what it goes after, forced too, and done behind it", async () => {
    const audit = createRecordedAudit();
    rig = await startRig({ cutovers: ordered, audit });
    await rig.change("search", to(100));
    await rig.change("checkout", to(100));
    for (const force of [false, true]) {
      expect(await close({ force })).toMatchObject({
        status: 409,
        json: {
          code: "out_of_order",
          detail: "checkout goes after search, which is not closed: close search first",
        },
      });
    }
    expect(audit.of("refused")).toHaveLength(2);
    expect(await rig.call("POST", "/api/v1/cutovers/search/close", { reason: "x" })).toMatchObject({
      status: 200,
    });
    expect(await close()).toMatchObject({ status: 200, json: { state: "closed" } });
  });

  test("took a cohort to new that the configuration keeps on legacy: now it is refused by its name, unless forced", async () => {
    const cohorts = [
      { name: "my", side: "legacy" },
      { name: "staff", side: "new" },
    ] as const;
    const audit = createRecordedAudit();
    rig = await startRig({ cutovers: { ...cutovers, checkout: { ...cutovers.checkout, cohorts } }, audit });
    await rig.change("checkout", to(50));
    expect(await close()).toMatchObject({ json: { code: "not_complete" } });
    await rig.change("checkout", to(100));
    expect(await close()).toMatchObject({
      status: 409,
      json: {
        code: "cohort_on_legacy",
        detail:
          "the configuration keeps the cohort my on legacy, and a close takes them to new: take that out, or force it",
      },
    });
    expect(audit.of("refused").at(-1)).toMatchObject({ code: "cohort_on_legacy" });
    expect(await close({ force: true })).toMatchObject({ status: 200, json: { state: "closed" } });
    const [last] = await rig.store.history("checkout", 1);
    expect(last?.annotations?.at(-1)?.reason).toBe("forced: the configuration kept the cohort my there");
  });
});
