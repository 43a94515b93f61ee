import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type { Phase } from "../../../src/admin/api/instance-view.ts";
import { type Rig, startRig, tokens, until } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());

describe("health", () => {
  test("is ready only between start and drain, and alive throughout", async () => {
    let phase: Phase = "starting";
    rig = await startRig({ health: () => phase });
    for (const [next, status] of [
      ["starting", 503],
      ["ready", 200],
      ["draining", 503],
    ] as const) {
      phase = next;
      expect(await rig.call("GET", "/health/ready")).toMatchObject({ status, json: { status: next } });
      expect((await rig.call("GET", "/health/live")).status).toBe(200);
    }
  });

  test("tells of a lost store in the body, never in the status", async () => {
    rig = await startRig();
    await rig.call("POST", "/api/v1/cutovers/checkout/hold");
    expect((await rig.call("GET", "/health/ready")).json).toEqual({
      status: "ready",
      store: { up: true, writable: true, word: null, stalenessSeconds: expect.any(Number) },
      cutovers: { checkout: 1, search: 0 },
    });
    rig.connection = "down";
    const ready = () => rig.call("GET", "/health/ready");
    await until(async () => JSON.stringify((await ready()).json).includes('"up":false'));
    expect(await ready()).toMatchObject({
      status: 200,
      json: { status: "ready", cutovers: { checkout: 1 } },
    });
  });
});

describe("metrics", () => {
  test("are served as the exposition names its type", async () => {
    rig = await startRig();
    const { status, headers, text } = await rig.call("GET", "/metrics");
    expect({ status, text }).toEqual({ status: 200, text: "cutover_store_up 1\n" });
    expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  });
});

describe("the console", () => {
  test("shows the values of now, rendered on the server, under a policy that runs no inline script", async () => {
    rig = await startRig();
    await rig.call("PUT", "/api/v1/cutovers/checkout/percent", {
      percent: 25,
      reason: "<script>alert(1)</script>",
    });
    rig.traffic.recorder("checkout", "all").record("new", "server_error", 0.2);
    const { headers, text } = await rig.call("GET", "/?cutover=checkout");
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    const [, style = ""] = /<style>(.*)<\/style>/s.exec(text) ?? [];
    const digest = createHash("sha256").update(style).digest("base64");
    expect(headers.get("content-security-policy")).toBe(
      `default-src 'none'; script-src 'self'; style-src 'sha256-${digest}'; connect-src 'self'; base-uri 'none'; ` +
        "form-action 'self'; frame-ancestors 'none'",
    );
    expect(headers.get("referrer-policy")).toBe("same-origin");
    expect(text).toContain('<span class="share">25%</span> of new checkouts go to marketplace');
    expect(text).toContain("100.0%");
    expect(text).toContain("v1 on 1/1 instance");
    expect(text).toContain("“&lt;script>alert(1)&lt;/script>”");
    expect(text).toContain("No guard: nobody is watching but you");
    expect(
      text.replace(/<script (?:src="console\.js" type="module"|type="application\/json" id="state")>/g, ""),
    ).not.toMatch(/<script|\son\w+=|\sstyle=/);
  });

  test("serves its own scripts as such, packed for who takes them so, 60 kB at most in all", async () => {
    rig = await startRig();
    let bytes = 0;
    for (const path of ["/console.js", "/charts.js"]) {
      const plain = await rig.call("GET", path, undefined, { headers: { "accept-encoding": "identity" } });
      expect(plain.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
      expect(plain.headers.get("content-encoding")).toBeNull();
      const packed = await rig.call("GET", path);
      expect(packed.headers.get("content-encoding")).toBe("gzip");
      expect(packed.text).toBe(plain.text);
      bytes += gzipSync(plain.text, { level: 9 }).length;
    }
    expect(bytes).toBeLessThanOrEqual(60_000);
  });

  test("says loudly that the store is out of reach", async () => {
    rig = await startRig();
    expect((await rig.call("GET", "/")).text).not.toContain("is out of reach");
    rig.connection = "down";
    await until(async () => (await rig.call("GET", "/")).text.includes("the store is out of reach"));
  });

  test("shows nothing of the cutovers to who has no token, and all of it to a viewer", async () => {
    rig = await startRig({ auth: tokens });
    const closed = await rig.call("GET", "/");
    expect(closed.status).toBe(200);
    expect(closed.text).not.toContain("marketplace");
    expect(closed.text).toContain('data-access="token"');
    const open = await rig.call("GET", "/", undefined, { role: "viewer" });
    expect(open.text).toContain("marketplace");
    const wrong = await rig.call("GET", "/", undefined, { headers: { authorization: "Bearer wrong" } });
    expect(wrong.status).toBe(401);
  });
});
