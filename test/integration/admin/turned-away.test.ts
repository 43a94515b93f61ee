/** What is refused before the rule book sees it is in the audit as what the rule book refuses. */
import { request } from "node:http";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { createRecordedAudit } from "../../support/recorded-audit.ts";
import { type Rig, startRig, tokens } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());

const hold = "/api/v1/cutovers/checkout/hold";

/** With a Host of its own, which fetch does not let one set. */
function bare(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const asking = request({ port: rig.port, host: "127.0.0.1", method, path, headers }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
    });
    asking.once("error", reject).end();
  });
}

test("a page of another origin, by its origin alone", async () => {
  const audit = createRecordedAudit();
  rig = await startRig({ audit });
  const foreign = { origin: "https://evil.example:8443", "content-type": "text/plain" };
  expect((await rig.call("POST", hold, undefined, { headers: foreign })).status).toBe(403);
  expect(
    (await rig.call("POST", hold, undefined, { headers: { "sec-fetch-site": "cross-site" } })).status,
  ).toBe(403);
  expect(await bare("POST", hold, { host: "evil.example", origin: "null" })).toBe(403);
  expect((await rig.call("PUT", "/no/such/path", undefined, { headers: foreign })).status).toBe(403);
  expect(
    (await rig.call("POST", "/api/v1/cutovers/payroll/hold", undefined, { headers: foreign })).status,
  ).toBe(403);
  const refused = { kind: "refused", code: "forbidden", by: "anonymous", via: "api" };
  const call = "POST /api/v1/cutovers/:name/hold";
  const page = "https://evil.example:8443";
  expect(audit.lines).toMatchObject([
    { ...refused, cutover: "checkout", call, page, requestId: expect.any(String) },
    { ...refused, cutover: "checkout", call, page: null },
    { ...refused, cutover: "checkout", call, page: null },
    { ...refused, cutover: null, call: null, page },
    { ...refused, cutover: null, call, page },
  ]);
  expect(JSON.stringify(audit.lines)).not.toMatch(/payroll|such/);
});

test("a change made with the cookie and without its CSRF token, by whose session it is", async () => {
  const audit = createRecordedAudit();
  rig = await startRig({ audit, auth: tokens });
  const signedIn = await rig.call("POST", "/api/v1/session", undefined, { role: "operator" });
  const { csrf, path } = z.object({ csrf: z.string(), path: z.string() }).parse(signedIn.json);
  const cookie = (signedIn.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  for (const token of [{}, { "x-csrf-token": `${csrf}x` }]) {
    const headers = { cookie, ...token };
    expect((await rig.call("POST", path + hold.slice(1), undefined, { headers })).status).toBe(403);
  }
  const by = { by: "ops-operator", role: "operator", cutover: "checkout", code: "forbidden" };
  expect(audit.lines).toMatchObject([by, by]);
  expect(JSON.stringify(audit.lines)).not.toContain(csrf);
  expect(JSON.stringify(audit.lines)).not.toContain(cookie.split("=")[1]);
});

test("a role that may not annotate, and a version there is not; the rule book's refusals once", async () => {
  const audit = createRecordedAudit();
  rig = await startRig({ audit, auth: tokens });
  const annotate = "/api/v1/cutovers/checkout/history/9/annotate";
  await rig.call("POST", annotate, { reason: "r" }, { role: "viewer" });
  await rig.call("POST", annotate, { reason: "r" }, { role: "responder" });
  await rig.call("POST", hold, {}, { role: "viewer" });
  expect(audit.lines).toMatchObject([
    { code: "forbidden", by: "ops-viewer", call: "POST /api/v1/cutovers/:name/history/:version/annotate" },
    { code: "not_found", by: "ops-responder" },
    { code: "forbidden", by: "ops-viewer", action: "hold" },
  ]);
});

test("what only reads, does not read as a request, or has no right token is not in the audit file", async () => {
  const audit = createRecordedAudit();
  rig = await startRig({ audit, auth: tokens });
  await rig.call("POST", hold);
  await rig.call("POST", hold, {}, { headers: { authorization: "Bearer wrong" } });
  await rig.call("POST", hold, "{", { role: "operator" });
  await rig.call(
    "PUT",
    "/api/v1/cutovers/checkout/percent",
    { percent: 101, reason: "r" },
    { role: "operator" },
  );
  await rig.call("POST", "/api/v1/cutovers/nothing/hold", {}, { role: "operator" });
  await rig.call("GET", "/api/v1/cutovers/nothing", undefined, { role: "operator" });
  expect(audit.lines).toEqual([]);
});
