/** Windows and freezes hold people: what is refused, what is not, who overrides it, and where it is shown. */
import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { cutoverView } from "../../../src/admin/api/cutover-view.ts";
import { freezeAnswer, freezeView } from "../../../src/admin/api/plan/freeze-view.ts";
import { scheduledView } from "../../../src/admin/api/plan/raise-view.ts";
import { proposalView } from "../../../src/admin/api/write.ts";
import type { AdminOptions } from "../../../src/admin/context.ts";
import { createTestRaises, type TestRaises } from "../../support/raises.ts";
import { createRecordedAudit } from "../../support/recorded-audit.ts";
import { cutovers, type Rig, startRig, tokens } from "./rig.ts";

let rig: Rig;
let raises: TestRaises;
afterEach(() => rig.close());

const path = "/api/v1/cutovers/checkout";
const at = (ms: number) => new Date(Date.now() + ms).toISOString();
const hourMs = 3_600_000;
const [viewer, responder, operator, admin] = (["viewer", "responder", "operator", "admin"] as const).map(
  (role) => ({ role }),
);

/** Who freezes reads the same notes as the instance does. */
async function start(windows: TestRaises["windows"] = [], more: Partial<AdminOptions> = {}): Promise<void> {
  raises = createTestRaises(() => rig.store, windows);
  rig = await startRig({ auth: tokens, plans: raises.plans, ...more });
}

const set = (percent: number, more: object = {}, who: object = operator ?? {}) =>
  rig.call("PUT", `${path}/percent`, { percent, reason: "step", ...more }, who);
const view = async () => cutoverView.parse((await rig.call("GET", path, undefined, viewer)).json);
const history = async () => (await rig.call("GET", `${path}/history`, undefined, viewer)).json;
const freeze = (body: object, who: object = responder ?? {}) => rig.call("POST", "/api/v1/freeze", body, who);

const openWindow = () => ({
  deny: "raise" as const,
  from: Date.now() - hourMs,
  to: Date.now() + hourMs,
  reason: "weekend",
});

describe("in a window", () => {
  test("a raise by hand is refused by a word of its own; a lower, a hold and a rollback are made", async () => {
    const audit = createRecordedAudit();
    await start([], { audit });
    expect((await set(10)).status).toBe(200);
    const window = openWindow();
    raises.windows.push(window);

    const until = new Date(window.to).toISOString();
    const refused = await set(20);
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({ code: "in_window", until, current: { percent: 10 } });
    expect(refused.text).toContain("weekend");
    expect(await view()).toMatchObject({ percent: 10, window: { until, reason: "weekend" } });
    expect(audit.of("refused").map(({ code }) => code)).toEqual(["in_window"]);

    expect((await set(10)).json).toMatchObject({ changed: false });
    expect((await set(5)).status).toBe(200);
    expect((await rig.call("POST", `${path}/hold`, {}, responder)).status).toBe(200);
    // What the rule book refuses it refuses.
    expect((await set(20)).json).toMatchObject({ code: "held" });
    expect((await set(20, {}, responder)).json).toMatchObject({ code: "forbidden" });
    expect((await rig.call("POST", `${path}/rollback`, {}, responder)).status).toBe(200);
    expect((await rig.call("POST", `${path}/resume`, { reason: "well" }, operator)).status).toBe(200);
  });

  test("whoever overrides it raises, and the history says what was overridden", async () => {
    await start([openWindow()]);
    expect((await set(20, { override: true })).json).toMatchObject({ percent: 20, changed: true });
    expect(await history()).toMatchObject([
      {
        action: "set",
        by: "ops-operator",
        annotations: [{ reason: expect.stringMatching(/^overridden: in a window until .*: weekend$/) }],
      },
    ]);
  });

  test("where four eyes are on, an override of any size waits for another person", async () => {
    const checkout = { ...cutovers.checkout, approval: { over: 50, ttl: 60_000 } };
    await start([openWindow()], { cutovers: { ...cutovers, checkout } });
    expect((await set(1)).json).toMatchObject({ code: "in_window" });
    const proposed = await set(1, { override: true });
    expect(proposed.status, proposed.text).toBe(202);
    const { id, override } = proposalView.parse(proposed.json);
    expect(override).toBe(true);
    const approved = await rig.call("POST", `${path}/proposals/${id}/approve`, {}, admin);
    expect(approved.json).toMatchObject({ percent: 1, changed: true });
    expect(await history()).toMatchObject([{ by: "ops-operator, approved by ops-admin" }]);
  });

  test("a raise that was proposed before it began is not approved in it", async () => {
    const checkout = { ...cutovers.checkout, approval: { over: 5, ttl: 60_000 } };
    await start([], { cutovers: { ...cutovers, checkout } });
    const { id } = proposalView.parse((await set(50)).json);
    raises.windows.push(openWindow());
    const refused = await rig.call("POST", `${path}/proposals/${id}/approve`, {}, admin);
    expect(refused.json).toMatchObject({ code: "in_window" });
  });
});

describe("a freeze", () => {
  test("refuses raises and closes of every cutover until it is lifted by an operator", async () => {
    const audit = createRecordedAudit();
    await start([], { audit });
    await set(100);
    const until = at(hourMs);
    const frozen = freezeAnswer.parse((await freeze({ until, reason: "Lebaran" })).json);
    expect(frozen).toMatchObject({
      frozen: true,
      until,
      by: "ops-responder",
      reason: "Lebaran",
      changed: true,
    });
    expect(frozen.applied).toMatchObject({ instances: 1, of: 1 });

    const search = "/api/v1/cutovers/search";
    const refused = await rig.call("PUT", `${search}/percent`, { percent: 1, reason: "go" }, operator);
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({ code: "frozen", until });
    const close = await rig.call("POST", `${path}/close`, { reason: "done", force: true }, admin);
    expect(close.json).toMatchObject({ code: "frozen" });
    expect((await set(50)).status).toBe(200);

    const shown = await view();
    expect(shown.freeze).toMatchObject({ until, by: "ops-responder", reason: "Lebaran" });
    expect(shown.warnings.map(({ code }) => code)).toContain("frozen");
    expect(await history()).toMatchObject([
      { version: 2 },
      {
        version: 1,
        annotations: [{ by: "ops-responder", reason: `everything is frozen until ${until}: Lebaran` }],
      },
    ]);

    expect((await rig.call("POST", "/api/v1/unfreeze", { reason: "over" }, responder)).status).toBe(403);
    const lifted = await rig.call("POST", "/api/v1/unfreeze", { reason: "over" }, operator);
    expect(lifted.json).toMatchObject({ frozen: false, changed: true });
    expect((await set(60)).status).toBe(200);
    expect(audit.of("freeze").map(({ event, by }) => `${event} by ${by}`)).toEqual([
      "frozen by ops-responder",
      "lifted by ops-operator",
    ]);
    const past = freezeView.parse((await rig.call("GET", "/api/v1/freeze", undefined, viewer)).json).past;
    expect(past.map(({ event }) => event)).toEqual(["lifted", "frozen"]);
    expect((await view()).freeze).toBeUndefined();
  });

  test("ends by itself, is not ended sooner by a responder, and takes no moment that is past or beyond a year", async () => {
    await start();
    expect((await freeze({ until: at(2 * hourMs) })).status).toBe(200);
    expect((await freeze({ until: at(hourMs) })).status).toBe(403);
    expect((await freeze({ until: at(hourMs) }, operator)).status).toBe(200);
    expect((await freeze({ until: at(-1) }, operator)).json).toMatchObject({ code: "invalid" });
    expect((await freeze({ until: at(367 * 24 * hourMs) }, operator)).json).toMatchObject({
      code: "invalid",
    });
    expect((await freeze({ until: at(3 * hourMs) }, viewer)).status).toBe(403);
  });

  test("while the store is away it is shown as it was known, and cannot be begun or lifted", async () => {
    await start();
    await freeze({ until: at(hourMs), reason: "Lebaran" });
    rig.connection = "down";
    raises.connection = "down";
    expect((await freeze({ until: at(2 * hourMs) })).json).toMatchObject({ code: "store_unavailable" });
    expect((await set(20)).json).toMatchObject({ code: "store_unavailable" });
    expect((await view()).freeze).toMatchObject({ reason: "Lebaran" });
    expect((await rig.call("POST", `${path}/rollback`, {}, responder)).json).toMatchObject({
      applied: { scope: "local" },
    });
  });
});

describe("a percent at a time", () => {
  const plan = (percent: number, more: object = {}, who: object = operator ?? {}) =>
    rig.call("POST", `${path}/schedule`, { percent, at: at(hourMs), reason: "step", ...more }, who);
  const listed = async () =>
    z.array(scheduledView).parse((await rig.call("GET", `${path}/schedule`, undefined, viewer)).json);

  test("waits for it, is listed, shown and cancelled", async () => {
    const audit = createRecordedAudit();
    await start([], { audit });
    const due = at(hourMs);
    const reply = await plan(20, { at: due });
    expect(reply.status, reply.text).toBe(201);
    const entry = scheduledView.parse(reply.json);
    expect(entry).toMatchObject({ percent: 20, at: due, by: "ops-operator", reason: "step" });
    expect(await listed()).toEqual([entry]);
    expect(await view()).toMatchObject({ percent: 0, schedule: [entry] });
    const cancel = (who: object) => rig.call("DELETE", `${path}/schedule/${entry.id}`, undefined, who);
    expect((await cancel(viewer ?? {})).status).toBe(403);
    expect((await cancel(responder ?? {})).status).toBe(204);
    expect((await cancel(responder ?? {})).status).toBe(404);
    expect((await view()).schedule).toBeUndefined();
    expect((await listed()).map(({ outcome }) => outcome?.kind)).toEqual(["cancelled"]);
    expect(audit.of("schedule").map(({ event, by }) => `${event} by ${by}`)).toEqual([
      "scheduled by ops-operator",
      "cancelled by ops-responder",
    ]);
  });

  test("takes the role that the change takes, and a moment to come that nothing is against", async () => {
    const window = { ...openWindow(), from: Date.now() + 0.5 * hourMs, to: Date.now() + 1.5 * hourMs };
    await start([window]);
    expect((await plan(20, {}, responder)).status).toBe(403);
    expect((await plan(20)).json).toMatchObject({
      code: "in_window",
      until: new Date(window.to).toISOString(),
    });
    expect((await plan(20, { override: true })).status).toBe(201);
    expect((await plan(20, { at: at(2 * hourMs) })).status).toBe(201);
    expect((await plan(20, { at: at(-1) })).json).toMatchObject({ code: "invalid" });
    expect((await plan(20, { cohort: "nobody" })).status).toBe(404);
    await set(30, { override: true });
    // A lower: a responder may, and no window is against it.
    expect((await plan(10, {}, responder)).status).toBe(201);
  });

  test("where four eyes are on, each raise at a time waits for another person first", async () => {
    const checkout = { ...cutovers.checkout, approval: { over: 50, ttl: 60_000 } };
    await start([], { cutovers: { ...cutovers, checkout } });
    const proposed = await plan(1);
    expect(proposed.status, proposed.text).toBe(202);
    const { id, action, dueAt } = proposalView.parse(proposed.json);
    expect(action).toBe("schedule");
    expect(await listed()).toEqual([]);
    const approve = (who: object | undefined) =>
      rig.call("POST", `${path}/proposals/${id}/approve`, {}, { ...who });
    expect((await approve(operator)).status).toBe(403);
    const approved = await approve(admin);
    expect(approved.json, approved.text).toMatchObject({ percent: 0, changed: true });
    expect(await listed()).toMatchObject([
      { percent: 1, at: dueAt, by: "ops-operator, approved by ops-admin" },
    ]);
    // Once used it approves nothing more, at once or at a time.
    expect((await approve(admin)).status).toBe(404);
    expect((await view()).percent).toBe(0);
  });
});
