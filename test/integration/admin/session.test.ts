/** Signing in to the page: a token for a cookie, where that goes, and what the cookie alone does not allow. */
import { createServer } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { type BrowserJar, createBrowserJar } from "../../../src/demo/storefronts/browser-jar.ts";
import { type Issuer, makeKey, startIssuer } from "../../support/issuer.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { type Rig, secretOf, startRig, tokens, until } from "./rig.ts";

let rig: Rig;
let issuer: Issuer | undefined;
afterEach(async () => {
  await rig.close();
  await issuer?.close();
  issuer = undefined;
});

const session = "/api/v1/session";
const hold = "api/v1/cutovers/checkout/hold";
const view = z.strictObject({
  name: z.string(),
  role: z.string(),
  path: z.string().regex(/^\/s\/[\w-]{22}\/$/),
  csrf: z.string().min(40),
  expiresAt: z.string(),
});

interface SignedIn extends z.output<typeof view> {
  readonly field: string;
  readonly cookie: string;
  readonly jar: BrowserJar;
  /** A call below the session's own path, by its cookie. */
  call(method: string, path: string, headers?: Record<string, string>): ReturnType<BrowserJar["request"]>;
}

async function signIn(
  role: "viewer" | "responder" | "admin",
  headers: Record<string, string> = {},
  jar = createBrowserJar(),
): Promise<SignedIn> {
  const authorization = `Bearer ${secretOf(role)}`;
  const reply = await jar.request(rig.url + session, {
    method: "POST",
    headers: { authorization, ...headers },
  });
  expect(reply.status, reply.text).toBe(200);
  const field = reply.headers.get("set-cookie") ?? "";
  const read = view.parse(JSON.parse(reply.text));
  return {
    field,
    jar,
    cookie: field.split(";")[0] ?? "",
    ...read,
    call: (method, path, more = {}) =>
      jar.request(rig.url + read.path + path, { method, headers: more, body: null }),
  };
}

describe("signing in", () => {
  test("trades a token for a cookie that no script reads, for a path of its own that nobody guesses", async () => {
    rig = await startRig({ auth: tokens });
    const { field, path, name, role } = await signIn("responder");
    expect({ name, role }).toEqual({ name: "ops-responder", role: "responder" });
    expect(field.replace(path, "PATH")).toMatch(
      /^cutover_session=[\w-]{32}; Path=PATH; HttpOnly; SameSite=Lax$/,
    );
    const behindTls = await signIn("responder", { "x-forwarded-proto": "https" });
    expect(behindTls.path).not.toBe(path);
    expect(behindTls.field.replace(behindTls.path, "PATH")).toMatch(
      /^__Secure-cutover_session=[\w-]{32}; Path=PATH; HttpOnly; SameSite=Lax; Secure$/,
    );
    expect((await behindTls.call("GET", "api/v1/cutovers")).status).toBe(200);
    expect(rig.lines.at(-1)).toMatchObject({ fields: { by: "ops-responder", role: "responder" } });
    const said = JSON.stringify(rig.lines);
    for (const secret of [secretOf("responder"), path, field.split(/[=;]/)[1]])
      expect(said).not.toContain(secret);
  });

  test("gives a cookie that a shop on another port of the host is never sent", async () => {
    rig = await startRig({ auth: tokens });
    const seen: string[] = [];
    const shop = createServer((request, response) => {
      seen.push(request.headers.cookie ?? "none");
      response.end();
    });
    await new Promise<void>((resolve) => shop.listen(0, "127.0.0.1", resolve));
    const address = shop.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const { jar } = await signIn("admin");
    for (const path of ["/", "/s/", "/s/x/", "/api/v1/cutovers", "/checkout"]) {
      await jar.visit(`http://127.0.0.1:${address.port}${path}`);
    }
    shop.closeAllConnections();
    shop.close();
    expect(seen).toEqual(["none", "none", "none", "none", "none"]);
    expect(jar.all()).toHaveLength(1);
  });

  test("shows the page and the API what the token would, under its name", async () => {
    rig = await startRig({ auth: tokens });
    const { csrf, call } = await signIn("responder");
    expect((await call("GET", "")).text).toContain('data-who="ops-responder"');
    expect((await call("GET", "?x=1")).text).toContain('data-who="ops-responder"');
    expect((await call("GET", "api/v1/cutovers")).status).toBe(200);
    const change = { "x-csrf-token": csrf };
    expect((await call("POST", hold, change)).status).toBe(200);
    expect(await rig.store.history("checkout", 1)).toMatchObject([
      { by: "ops-responder", action: "hold", via: "console", requestId: expect.any(String) },
    ]);
    const raise = await call("POST", "api/v1/cutovers/checkout/close", change);
    expect(raise.status).toBe(422);
  });

  test("needs a token: neither none nor a session is one", async () => {
    rig = await startRig({ auth: tokens });
    const { csrf, call } = await signIn("viewer");
    expect((await call("POST", "api/v1/session", { "x-csrf-token": csrf })).status).toBe(401);
    for (const headers of [{}, { authorization: "Bearer wrong" }]) {
      expect(await rig.call("POST", session, undefined, { headers })).toMatchObject({ status: 401 });
    }
  });

  test("lasts no longer than the issuer's token", async () => {
    const key = await makeKey("ec", "ES256");
    issuer = await startIssuer([key]);
    const oidc = {
      issuer: issuer.url,
      audience: "cutover",
      claim: "groups",
      roles: { sre: "viewer" },
    } as const;
    rig = await startRig({ auth: { oidc } });
    const exp = Math.floor(Date.now() / 1000) + 300;
    const headers = { authorization: `Bearer ${await issuer.sign(key, { exp })}` };
    const { expiresAt } = view.parse((await rig.call("POST", session, undefined, { headers })).json);
    expect(Date.parse(expiresAt)).toBe((exp + 30) * 1000);
  });
});

describe("the cookie alone", () => {
  test("is looked at on its own path only, and not where another page has set a namesake", async () => {
    rig = await startRig({ auth: tokens });
    const [mine, other] = [await signIn("admin"), await signIn("viewer")];
    const at = (path: string, cookie: string) =>
      rig.call("GET", `${path}api/v1/session`, undefined, { headers: { cookie } });
    for (const path of ["/", other.path, "/s/AAAAAAAAAAAAAAAAAAAAAA/"]) {
      const reply = await at(path, mine.cookie);
      expect({ path, status: reply.status }).toEqual({ path, status: 401 });
      expect(reply.headers.get("set-cookie")).toBeNull();
    }
    for (const cookie of [`cutover_session=x; ${mine.cookie}`, `${other.cookie}; ${mine.cookie}`]) {
      expect((await at(mine.path, cookie)).json).toMatchObject({ name: "ops-admin" });
    }
  });

  test("changes nothing, with another session's CSRF token neither", async () => {
    rig = await startRig({ auth: tokens });
    const [mine, other] = [await signIn("responder"), await signIn("responder")];
    for (const more of [{}, { "x-csrf-token": "" }, { "x-csrf-token": other.csrf }]) {
      expect(await mine.call("POST", hold, more)).toMatchObject({ status: 403 });
      expect(await mine.call("POST", "api/v1/session/end", more)).toMatchObject({ status: 403 });
      expect(await mine.call("DELETE", "api/v1/session", more)).toMatchObject({ status: 403 });
    }
    expect(await rig.store.history("checkout", 1)).toEqual([]);
  });

  test.each([
    { origin: "https://attacker.example" },
    { origin: "http://127.0.0.1:1" },
    { origin: "null" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "cross-site" },
  ])("and its CSRF token change nothing for a page of another origin: %j", async (foreign) => {
    rig = await startRig({ auth: tokens });
    const { call, csrf } = await signIn("responder");
    expect(await call("POST", hold, { "x-csrf-token": csrf, ...foreign })).toMatchObject({ status: 403 });
    expect(await rig.store.history("checkout", 1)).toEqual([]);
  });

  test("does not stand in for a token that is wrong", async () => {
    rig = await startRig({ auth: tokens });
    const { call } = await signIn("viewer");
    for (const path of ["", "api/v1/cutovers"]) {
      expect(await call("GET", path, { authorization: "Bearer wrong" })).toMatchObject({ status: 401 });
    }
  });
});

describe("a session", () => {
  test("ends when nobody uses it, although a tab polls", async () => {
    const clock = createManualTime();
    rig = await startRig({ auth: tokens, clock });
    const [left, used] = [await signIn("viewer"), await signIn("viewer")];
    const polls = async (more = {}) =>
      Promise.all([left.call("GET", ""), used.call("GET", "", more), used.call("GET", "api/v1/cutovers")]);
    for (const more of [{ "x-cutover-touched": "yes" }, { "sec-fetch-mode": "navigate" }]) {
      await clock.advance(14 * 60_000);
      if ("sec-fetch-mode" in more) await left.call("GET", "");
      await polls(more);
    }
    const pages = await polls();
    expect(pages[0]?.text).toContain('data-access="token"');
    expect(pages[1]?.text).toContain('data-who="ops-viewer"');
    expect((await left.call("GET", "api/v1/cutovers")).status).toBe(401);
  });

  test("that was ended or revoked takes its event streams along", async () => {
    rig = await startRig({ auth: tokens, tickMs: 20 });
    const [mine, other, admin] = [
      await signIn("responder"),
      await signIn("responder"),
      await signIn("admin"),
    ];
    const streams = [mine, other, admin].map(({ cookie, path }) => openStream(cookie, path));
    await until(() => streams.every(({ text }) => text().includes("event: tick")));
    expect((await mine.call("POST", "api/v1/session/end", { "x-csrf-token": mine.csrf })).status).toBe(204);
    await streams[0]?.ended;
    const listed = JSON.parse((await admin.call("GET", "api/v1/sessions")).text);
    expect(listed).toMatchObject([{ name: "ops-responder" }, { name: "ops-admin", role: "admin" }]);
    const revoke = `api/v1/sessions/${listed[0].handle}/revoke`;
    const change = { "x-csrf-token": admin.csrf };
    expect((await admin.call("POST", revoke, change)).status).toBe(204);
    expect((await admin.call("POST", revoke, change)).status).toBe(404);
    await streams[1]?.ended;
    expect(rig.lines.filter(({ message }) => message.includes("the page")).at(-1)).toEqual({
      level: "info",
      fields: { by: "ops-admin", session: listed[0].handle },
      message: "a session of the page was revoked",
    });
    expect((await other.call("GET", "api/v1/cutovers")).status).toBe(401);
    expect(streams[2]?.isOpen()).toBe(true);
    streams[2]?.close();
  });

  test("is seen and revoked by its own person and by an admin, by nobody else", async () => {
    rig = await startRig({ auth: tokens });
    const [viewer, responder] = [await signIn("viewer"), await signIn("responder")];
    expect(JSON.parse((await viewer.call("GET", "api/v1/sessions")).text)).toMatchObject([
      { name: "ops-viewer" },
    ]);
    const [own] = JSON.parse((await responder.call("GET", "api/v1/sessions")).text);
    const change = { "x-csrf-token": viewer.csrf };
    expect((await viewer.call("POST", `api/v1/sessions/${own.handle}/revoke`, change)).status).toBe(404);
    expect((await responder.call("GET", "api/v1/session")).status).toBe(200);
  });
});

describe("signing out", () => {
  test("ends the session, here and in the browser", async () => {
    rig = await startRig({ auth: tokens });
    const { call, cookie, path, jar } = await signIn("viewer");
    const { csrf, name } = view.parse(JSON.parse((await call("GET", "api/v1/session")).text));
    expect(name).toBe("ops-viewer");
    const out = await call("POST", "api/v1/session/end", { "x-csrf-token": csrf });
    expect(out.status).toBe(204);
    expect(out.headers.get("set-cookie")?.replace(path, "PATH")).toMatch(
      /^cutover_session=; Max-Age=0; Path=PATH;/,
    );
    expect(jar.all()).toEqual([]);
    const again = { headers: { cookie } };
    expect((await rig.call("GET", `${path}api/v1/session`, undefined, again)).status).toBe(401);
    const page = await rig.call("GET", path, undefined, again);
    expect(page.status).toBe(200);
    expect(page.text).toContain('data-access="token"');
    expect(page.text).not.toContain("ops-viewer");
  });

  test("is not found without a session", async () => {
    rig = await startRig({ auth: tokens });
    expect(await rig.call("DELETE", session, undefined, { role: "viewer" })).toMatchObject({ status: 404 });
    expect(await rig.call("POST", `${session}/end`, undefined, { role: "viewer" })).toMatchObject({
      status: 404,
    });
    expect(await rig.call("GET", session, undefined, { role: "viewer" })).toMatchObject({ status: 404 });
  });
});

/** An event stream by a cookie on its path. */
function openStream(cookie: string, path: string) {
  let text = "";
  let isOpen = true;
  const socket = connect(rig.port, "127.0.0.1", () =>
    socket.write(`GET ${path}api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: ${cookie}\r\n\r\n`),
  );
  const ended = new Promise<void>((resolve) => {
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (!text.endsWith("\r\n0\r\n\r\n")) return;
      isOpen = false;
      socket.destroy();
      resolve();
    });
  });
  return { text: () => text, ended, isOpen: () => isOpen, close: () => socket.destroy() };
}
