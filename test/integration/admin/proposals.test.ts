/** Four eyes: a large raise waits for another person, on whichever instance they ask. */
import { afterEach, describe, expect, test } from "vitest";
import { cutoverView } from "../../../src/admin/api/cutover-view.ts";
import { type ProposalView, proposalView } from "../../../src/admin/api/write.ts";
import type { AdminOptions } from "../../../src/admin/context.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { createRecordedAudit } from "../../support/recorded-audit.ts";
import { cutovers, type Rig, secretOf, sha256, startRig } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());

const path = "/api/v1/cutovers/checkout";
const auth: AdminOptions["auth"] = {
  tokens: [
    { name: "ann", role: "operator", sha256: sha256(secretOf("operator")) },
    { name: "bob", role: "operator", sha256: sha256("bob") },
    { name: "rob", role: "responder", sha256: sha256(secretOf("responder")) },
    { name: "vic", role: "viewer", sha256: sha256(secretOf("viewer")) },
  ],
};
const bob = { headers: { authorization: "Bearer bob" } };
const ann = { role: "operator" } as const;

function start(more: Partial<AdminOptions> = {}) {
  const limited = { ...cutovers, checkout: { ...cutovers.checkout, approval: { over: 10, ttl: 60_000 } } };
  return startRig({ auth, cutovers: limited, ...more });
}

const raise = (percent: number, who = {}) =>
  rig.call("PUT", `${path}/percent`, { percent, reason: "step 4" }, who);
const view = async () => cutoverView.parse((await rig.call("GET", path, undefined, ann)).json);
const approve = ({ id }: Pick<ProposalView, "id">, who = {}) =>
  rig.call("POST", `${path}/proposals/${id}/approve`, undefined, who);

async function propose(percent: number): Promise<ProposalView> {
  const reply = await raise(percent, ann);
  expect(reply.status, reply.text).toBe(202);
  return proposalView.parse(reply.json);
}

describe("a raise by more than the limit", () => {
  test("is a proposal that changes nothing, seen by all until another person approves it", async () => {
    rig = await start();
    expect((await raise(10, ann)).status).toBe(200);
    const proposal = await propose(50);
    expect(proposal).toMatchObject({
      name: "checkout",
      percent: 50,
      version: 1,
      by: "ann",
      reason: "step 4",
    });
    expect(Date.parse(proposal.expiresAt) - Date.parse(proposal.at)).toBe(60_000);
    expect(await view()).toMatchObject({ percent: 10, version: 1, proposal });
    const listed = await rig.call("GET", `${path}/proposals`, undefined, { role: "viewer" });
    expect(listed.json).toEqual([proposal]);
    expect((await rig.call("GET", "/", undefined, ann)).text).toContain(proposal.id);

    expect(await approve(proposal, bob)).toMatchObject({
      status: 200,
      json: { percent: 50, version: 2, changed: true, applied: { complete: true } },
    });
    const [entry] = await rig.store.history("checkout", 1);
    expect(entry).toMatchObject({ by: "ann, approved by bob", action: "set", reason: "step 4" });
    expect((await view()).proposal).toBeUndefined();
    expect(await approve(proposal, bob)).toMatchObject({ status: 404 });
    expect(rig.lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining(["a raise was proposed", "a proposed raise was approved"]),
    );
  });

  test("is approved by nobody who proposed it or may not raise", async () => {
    rig = await start();
    const proposal = await propose(50);
    for (const who of [ann, { role: "responder" }, { role: "viewer" }]) {
      expect(await approve(proposal, who)).toMatchObject({ status: 403, json: { code: "forbidden" } });
    }
    expect(await view()).toMatchObject({ percent: 0, version: 0, proposal });
  });

  test("is judged by the rules first: role, version and state refuse as ever", async () => {
    rig = await start();
    expect(await raise(50, { role: "responder" })).toMatchObject({ status: 403 });
    const stale = { percent: 50, reason: "r", ifVersion: 7 };
    expect(await rig.call("PUT", `${path}/percent`, stale, ann)).toMatchObject({
      json: { code: "version_conflict" },
    });
    await rig.call("POST", `${path}/hold`, {}, ann);
    expect(await raise(50, ann)).toMatchObject({ status: 409, json: { code: "held" } });
    expect((await rig.call("GET", `${path}/proposals`, undefined, ann)).json).toEqual([]);
  });

  test("does not outlive another change, a newer proposal, or its time", async () => {
    const time = createManualTime();
    rig = await start({ clock: time });
    const first = await propose(50);
    const second = await propose(60);
    expect(await approve(first, bob)).toMatchObject({ status: 404 });
    await rig.call("POST", `${path}/rollback`, { waitMs: 0 }, { role: "responder" });
    expect(await approve(second, bob)).toMatchObject({ status: 404 });
    await rig.call("POST", `${path}/resume`, { reason: "r" }, ann);
    expect((await view()).proposal).toBeUndefined();
    const third = await propose(60);
    await time.advance(60_000);
    expect((await view()).proposal).toBeUndefined();
    expect(await approve(third, bob)).toMatchObject({ status: 404 });
    expect(await view()).toMatchObject({ percent: 0 });
  });

  test("is withdrawn by who may lower, and by its id alone", async () => {
    rig = await start();
    const { id } = await propose(50);
    const at = `${path}/proposals/${id}`;
    expect(await rig.call("DELETE", at, undefined, { role: "viewer" })).toMatchObject({ status: 403 });
    expect(await rig.call("DELETE", `${at}x`, undefined, { role: "responder" })).toMatchObject({
      status: 404,
    });
    expect((await rig.call("DELETE", at, undefined, { role: "responder" })).status).toBe(204);
    expect(await approve({ id }, bob)).toMatchObject({ status: 404 });
  });

  test("is neither proposed nor approved without the store", async () => {
    rig = await start();
    const proposal = await propose(50);
    rig.connection = "down";
    expect(await raise(60, ann)).toMatchObject({ status: 503, json: { code: "store_unavailable" } });
    expect(await approve(proposal, bob)).toMatchObject({ status: 503, json: { code: "store_unavailable" } });
    expect((await rig.call("GET", path, undefined, ann)).status).toBe(200);
  });
});

describe("the audit", () => {
  test("has who proposed, in whose place, who approved and who withdrew", async () => {
    const audit = createRecordedAudit();
    rig = await start({ audit });
    const first = await propose(50);
    const second = await propose(60);
    await approve(second, bob);
    const third = await propose(80);
    await rig.call("DELETE", `${path}/proposals/${third.id}`, undefined, { role: "responder" });
    const common = { cutover: "checkout", proposedBy: "ann", reason: "step 4", via: "api", instance: "one" };
    expect(audit.of("proposal")).toMatchObject([
      { ...common, event: "proposed", id: first.id, percent: 50, version: 0, by: "ann", replaces: null },
      { ...common, event: "proposed", id: second.id, percent: 60, version: 0, by: "ann", replaces: first.id },
      { ...common, event: "approved", id: second.id, percent: 60, version: 0, by: "bob" },
      { ...common, event: "proposed", id: third.id, percent: 80, version: 1, by: "ann", replaces: null },
      { ...common, event: "withdrawn", id: third.id, percent: 80, version: 1, by: "rob" },
    ]);
    for (const line of audit.of("proposal")) expect(line.requestId).toEqual(expect.any(String));
  });

  test("has that one's time ran out, once, and not of one that had ended otherwise before", async () => {
    const time = createManualTime();
    const audit = createRecordedAudit();
    rig = await start({ clock: time, timers: time, audit });
    const events = () => audit.of("proposal").map(({ event, id }) => [event, id]);
    const replaced = await propose(40);
    const expired = await propose(50);
    await time.advance(59_999);
    expect(events()).toEqual([
      ["proposed", replaced.id],
      ["proposed", expired.id],
    ]);
    await time.advance(1);
    await time.advance(60_000);
    expect(events().slice(2)).toEqual([["expired", expired.id]]);

    const withdrawnElsewhere = await propose(50);
    await rig.store.withdraw("checkout", withdrawnElsewhere.id);
    await time.advance(120_000);
    const approved = await propose(60);
    await approve(approved, bob);
    await time.advance(120_000);
    expect(events().slice(3)).toEqual([
      ["proposed", withdrawnElsewhere.id],
      ["proposed", approved.id],
      ["approved", approved.id],
    ]);
  });

  test("has an approval that was refused: one's own, a role's, of none that is open", async () => {
    const audit = createRecordedAudit();
    rig = await start({ audit });
    const proposal = await propose(50);
    await approve(proposal, ann);
    await approve({ id: "another" }, bob);
    await rig.call("DELETE", `${path}/proposals/${proposal.id}`, undefined, { role: "viewer" });
    rig.connection = "down";
    await approve(proposal, bob);
    const call = "POST /api/v1/cutovers/:name/proposals/:id/approve";
    expect(audit.of("refused")).toMatchObject([
      { code: "approval_required", by: "ann" },
      { call, cutover: "checkout", code: "forbidden", by: "ann", why: "another person has to approve it" },
      { call, cutover: "checkout", code: "not_found", by: "bob" },
      { call: "DELETE /api/v1/cutovers/:name/proposals/:id", code: "forbidden", by: "vic", role: "viewer" },
      { call, code: "store_unavailable", by: "bob" },
    ]);
  });
});

describe("what is not limited", () => {
  test("is a raise up to the limit, whatever lowers, and a cutover without a limit", async () => {
    rig = await start();
    expect((await raise(10, ann)).status).toBe(200);
    expect((await raise(20, ann)).status).toBe(200);
    expect((await raise(0, { role: "responder" })).status).toBe(200);
    const other = await rig.call(
      "PUT",
      "/api/v1/cutovers/search/percent",
      { percent: 100, reason: "r" },
      ann,
    );
    expect(other.status).toBe(200);
    expect((await rig.call("GET", "/api/v1/cutovers/search/proposals", undefined, ann)).json).toEqual([]);
  });
});
