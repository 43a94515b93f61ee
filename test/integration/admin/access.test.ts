/** Who may talk to the admin listener at all, and what no request gets out of it. */
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { problemDetails } from "../../../src/admin/api/problem-details.ts";
import { createAdminServer } from "../../../src/admin/server.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { type Rig, startRig, tokens, until } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());

const hold = "/api/v1/cutovers/checkout/hold";

interface Bare {
  readonly status: number | undefined;
  readonly code: string | undefined;
}

/** A request with exactly these fields; fetch would not let a test name Host or Origin. */
function bare(method: string, path: string, headers: Record<string, string>): Promise<Bare> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: rig.port, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        const read = text.startsWith("{") ? problemDetails.safeParse(JSON.parse(text)) : undefined;
        resolve({ status: response.statusCode, code: read?.data?.code });
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Writes bytes to a socket. @returns all that came back until the other side closed */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(rig.port, "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

describe("an address that failed too often", () => {
  const still = { ...systemClock, monotonic: () => 0 };
  const asking = (token: string, path: string, more = "") =>
    `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n${more}\r\n`;
  const last = "connection: close\r\n";
  const headOf = (text: string) => (text.split("\r\n\r\n", 1)[0] ?? "").split("\r\n");
  const namesOf = (text: string) =>
    headOf(text)
      .slice(1)
      .map((line) => line.split(":", 1)[0]?.toLowerCase());

  test("is refused as anybody else is, with every field, and keeps its connection", async () => {
    rig = await startRig({ auth: tokens, clock: still });
    const path = "/api/v1/cutovers";
    for (let at = 0; at < 10; at += 1) await raw(asking("guess", path, last));
    // A page is open to all, but this token is asked about: by the long way.
    const long = await raw(asking("guess", "/", last));
    const short = await raw(asking("guess", path, last));
    expect(headOf(short)[0]).toBe("HTTP/1.1 429 Too Many Requests");
    expect(namesOf(short).toSorted()).toEqual(namesOf(long).toSorted());
    expect(short.split("\r\n\r\n")[1]).toBe(long.split("\r\n\r\n")[1]);
    const body = asking("guess", path, "content-length: 3\r\n").replace("GET", "POST");
    const several = await raw(`${asking("guess", path)}${body}abc${asking("guess", path, last)}`);
    expect(several.match(/HTTP\/1\.1 429/g)).toHaveLength(3);
  });

  test("gets in with a right token, and to what needs none", async () => {
    rig = await startRig({ auth: tokens, clock: still });
    for (let at = 0; at < 12; at += 1) await raw(asking("guess", "/api/v1/cutovers", last));
    expect((await rig.call("GET", "/api/v1/cutovers", undefined, { role: "viewer" })).status).toBe(200);
    expect(
      (await rig.call("POST", "/api/v1/cutovers/checkout/rollback", {}, { role: "responder" })).status,
    ).toBe(200);
    for (const path of ["/health/live", "/metrics", "/metrics?x=1", "/openapi.json", "/console.js"]) {
      expect(headOf(await raw(asking("guess", path, last)))[0]).toBe("HTTP/1.1 200 OK");
    }
  });
});

describe("tokens", () => {
  test("are asked for before anything else, with a challenge (RFC 9110 §11.6.1)", async () => {
    rig = await startRig({ auth: tokens });
    const calls: [string, string, string?][] = [
      ["GET", "/api/v1/cutovers"],
      ["GET", "/api/v1/cutovers/nope"],
      ["GET", "/api/v1/instances"],
      ["GET", "/api/v1/events"],
      ["GET", "/nowhere"],
      ["DELETE", "/api/v1/cutovers"],
      ["POST", hold, "{not json"],
      ["POST", hold, "x".repeat(100_000)],
    ];
    for (const [method, path, body] of calls) {
      const reply = await rig.call(method, path, body);
      expect({ path, ...reply }).toMatchObject({ status: 401, json: { code: "unauthenticated" } });
      expect(reply.headers.get("www-authenticate")).toBe('Bearer realm="cutover"');
    }
  });

  test("that are not known, or come in another scheme or in the query, are none", async () => {
    rig = await startRig({ auth: tokens });
    for (const authorization of [
      "Bearer wrong",
      "Bearer secret-of-admin x",
      "Basic secret-of-admin",
      "Bearer",
    ]) {
      const reply = await rig.call("GET", "/api/v1/cutovers", undefined, { headers: { authorization } });
      expect({ authorization, status: reply.status }).toEqual({ authorization, status: 401 });
    }
    expect((await rig.call("GET", "/api/v1/events?token=secret-of-admin")).status).toBe(401);
    const unknown = await rig.call("GET", "/api/v1/cutovers", undefined, {
      headers: { authorization: "Bearer x" },
    });
    expect(unknown.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect((await rig.call("GET", "/api/v1/cutovers", undefined, { role: "viewer" })).status).toBe(200);
    expect(JSON.stringify(rig.lines)).not.toContain("secret-of");
  });

  test("are not asked for on the open paths", async () => {
    rig = await startRig({ auth: tokens });
    for (const path of [
      "/health/live",
      "/health/ready",
      "/metrics",
      "/openapi.json",
      "/",
      "/console.js",
      "/charts.js",
    ]) {
      const reply = await rig.call("GET", path);
      expect({ path, status: reply.status }).toEqual({ path, status: 200 });
      expect((await rig.call("HEAD", path)).status).toBe(200);
    }
  });
});

describe("without tokens", () => {
  test("nothing but a loopback host is listened on", async () => {
    rig = await startRig();
    const needs = { ...(await optionsOf()), auth: "none" as const };
    const server = await createAdminServer(needs);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.example.com"]) {
      await expect(server.listen({ host, port: 0 })).rejects.toThrow(/loopback/);
    }
    await server.close();
  });

  test("whoever asks is anonymous and an admin", async () => {
    rig = await startRig();
    await rig.call("POST", hold);
    expect(await rig.store.history("checkout", 1)).toMatchObject([{ by: "anonymous", action: "hold" }]);
  });

  test("no other name than loopback's is answered, so that a rebound DNS name gets nothing", async () => {
    rig = await startRig();
    for (const host of [
      "attacker.example",
      "attacker.example:9900",
      "10.0.0.1",
      "127.0.0.1.attacker.example",
    ]) {
      for (const path of ["/api/v1/cutovers", "/", "/metrics"]) {
        expect({ host, ...(await bare("GET", path, { host })) }).toEqual({
          host,
          status: 403,
          code: "forbidden",
        });
      }
    }
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:9900", "[::1]:9900", "[::1]"]) {
      expect({ host, ...(await bare("GET", "/api/v1/cutovers", { host })) }).toMatchObject({
        host,
        status: 200,
      });
    }
  });
});

describe("a web page of another origin", () => {
  test("changes nothing, whether or not tokens are configured", async () => {
    rig = await startRig();
    const host = `127.0.0.1:${rig.port}`;
    for (const foreign of [
      { origin: "https://attacker.example" },
      { origin: "null" },
      { origin: "http://127.0.0.1:1" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: `http://${host}`, "sec-fetch-site": "cross-site" },
    ]) {
      expect(await bare("POST", hold, { host, ...foreign })).toEqual({ status: 403, code: "forbidden" });
    }
    expect(await rig.store.history("checkout", 1)).toEqual([]);
    const own = { host, origin: `http://${host}`, "sec-fetch-site": "same-origin" };
    expect((await bare("POST", hold, own)).status).toBe(200);
  });

  test("is granted no access by CORS", async () => {
    rig = await startRig();
    const headers = { origin: "https://attacker.example" };
    const reply = await rig.call("GET", "/api/v1/cutovers", undefined, { headers });
    expect([...reply.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect((await rig.call("OPTIONS", hold)).status).toBe(405);
  });
});

describe("every answer", () => {
  test("is kept out of caches, frames and sniffing", async () => {
    rig = await startRig();
    for (const path of ["/api/v1/cutovers", "/nowhere", "/%zz", "/metrics", "/health/live", "/"]) {
      const { headers } = await rig.call("GET", path);
      expect({ path, cache: headers.get("cache-control") }).toEqual({ path, cache: "no-store" });
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    }
  });

  test("to an unforeseen error is 500 `internal`, without a trace of it, and logged", async () => {
    rig = await startRig({
      metrics: async () => {
        throw new Error("the secret reason");
      },
    });
    const reply = await rig.call("GET", "/metrics");
    expect(reply).toMatchObject({ status: 500, json: { code: "internal" } });
    expect(reply.text).not.toMatch(/secret reason|server\.ts|node_modules/);
    expect(rig.lines.some(({ level, fields }) => level === "error" && fields.err instanceof Error)).toBe(
      true,
    );
  });
});

describe("what is no HTTP request", () => {
  test("is answered with a problem and the end of the connection", async () => {
    rig = await startRig();
    const answer = await raw("NONSENSE\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain("content-type: application/problem+json");
    expect(answer).toContain('"code":"malformed_request"');
  });

  test("for its header fields' size is 431", async () => {
    rig = await startRig();
    const answer = await raw(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('"code":"headers_too_large"');
  });

  test("does not stop the listener", async () => {
    rig = await startRig();
    await Promise.all(["\u0000\u0001", "GET / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\n\r\n"].map(raw));
    await until(async () => (await rig.call("GET", "/health/live")).status === 200);
  });
});

/** The options of a second server beside the rig's. */
async function optionsOf() {
  const follower = {
    current: () => ({ states: new Map() }),
    onSwap: () => () => {},
    contact: () => ({ up: true, stalenessMs: 0 }),
    isStale: () => false,
    isDoubtful: () => false,
    refresh: async () => {},
    makeLocally: () => {
      throw new Error("not asked for");
    },
    keptLocally: async () => {},
    pendingLocally: () => [],
  };
  return {
    store: rig.store,
    follower,
    cutovers: {},
    metrics: async () => ({ contentType: "text/plain", parts: [] }),
    traffic: () => ({}),
    instance: { id: "two", startedAt: "" },
    explain: () => undefined,
    health: () => "ready" as const,
    clock: { now: () => 0, monotonic: () => 0 },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    version: "0",
  };
}
