/** A cohort's percent through the API: set, proposed, shown, and put down in the history. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { cutoverView } from "../../../src/admin/api/cutover-view.ts";
import { historyEntry } from "../../../src/admin/api/history-view.ts";
import { proposalView } from "../../../src/admin/api/write.ts";
import { cutovers, type Rig, startRig, tokens } from "./rig.ts";

let rig: Rig;
const path = "/api/v1/cutovers/checkout";
const cohorts = [
  { name: "staff", side: "new" as const },
  { name: "jakarta", percent: 40 },
];
const operator = { role: "operator" } as const;

beforeEach(async () => {
  const approval = { over: 30, ttl: 60_000 };
  const checkout = { ...cutovers.checkout, cohorts, approval };
  rig = await startRig({ auth: tokens, cutovers: { ...cutovers, checkout } });
});
afterEach(() => rig.close());

const set = (percent: number, who: object = operator, more = {}) =>
  rig.call("PUT", `${path}/cohorts/jakarta/percent`, { percent, reason: "region first", ...more }, who);
const view = async () => cutoverView.parse((await rig.call("GET", path, undefined, operator)).json);

test("a cohort's percent is set and shown, and the cutover's own stays", async () => {
  expect((await view()).cohorts).toEqual([
    { name: "staff", side: "new", percent: null },
    { name: "jakarta", side: null, percent: 40 },
  ]);
  const reply = await set(55);
  expect(reply.json).toMatchObject({
    ...{ name: "checkout", percent: 0, cohort: { name: "jakarta", percent: 55 }, changed: true, version: 1 },
    applied: { instances: 1, of: 1 },
  });
  expect(await view()).toMatchObject({ percent: 0, cohorts: [{}, { name: "jakarta", percent: 55 }] });
  const history = await rig.call("GET", `${path}/history`, undefined, operator);
  expect(historyEntry.array().parse(history.json)).toMatchObject([
    { action: "set", from: { percent: 0, cohorts: { jakarta: 40 } }, to: { cohorts: { jakarta: 55 } } },
  ]);
});

test("roles, versions and a rollback hold for a cohort as for the cutover", async () => {
  expect((await set(10, { role: "viewer" })).status).toBe(403);
  expect((await set(41, { role: "responder" })).status).toBe(403);
  expect((await set(39, { role: "responder" })).status).toBe(200);
  expect((await set(45, operator, { ifVersion: 0 })).json).toMatchObject({ code: "version_conflict" });
  await rig.call("POST", `${path}/rollback`, {}, operator);
  expect(await view()).toMatchObject({ state: "rolled_back", cohorts: [{}, { percent: 0 }] });
  expect((await set(1)).json).toMatchObject({ code: "rolled_back" });
});

test("a hold of the cutover holds its cohorts: none is raised before it is resumed, and each is lowered", async () => {
  await rig.call("POST", `${path}/hold`, {}, operator);
  expect((await set(41)).json).toMatchObject({ code: "held" });
  expect((await set(30)).json).toMatchObject({ state: "held", cohort: { name: "jakarta", percent: 30 } });
  await rig.call("POST", `${path}/resume`, { reason: "x" }, operator);
  expect((await set(41)).json).toMatchObject({ state: "open", cohort: { percent: 41 } });
});

test("a large raise of a cohort waits for another person, who makes that of the cohort and no other", async () => {
  const reply = await set(80);
  expect(reply.status, reply.text).toBe(202);
  const proposal = proposalView.parse(reply.json);
  expect(proposal).toMatchObject({ action: "set", cohort: "jakarta", percent: 80 });
  const approved = await rig.call("POST", `${path}/proposals/${proposal.id}/approve`, undefined, {
    role: "admin",
  });
  expect(approved.json).toMatchObject({
    percent: 0,
    cohort: { name: "jakarta", percent: 80 },
    changed: true,
  });
});

test("a cohort that there is not, or that has a side of the configuration, is not found", async () => {
  const other = (cohort: string) =>
    rig.call("PUT", `${path}/cohorts/${cohort}/percent`, { percent: 1, reason: "x" }, operator);
  expect((await other("jakrta")).json).toMatchObject({
    ...{ status: 404, code: "not_found", detail: "no such cohort: did you mean jakarta?" },
  });
  expect((await other("staff")).json).toMatchObject({ status: 404, code: "not_found" });
  const elsewhere = "/api/v1/cutovers/search/cohorts/jakarta/percent";
  expect((await rig.call("PUT", elsewhere, { percent: 1, reason: "x" }, operator)).status).toBe(404);
});
