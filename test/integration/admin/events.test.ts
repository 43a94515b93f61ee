import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { cutoverView, metricsEvent } from "../../../src/admin/api/cutover-view.ts";
import { tickEvent } from "../../../src/admin/api/instance-view.ts";
import { makeKey, startIssuer } from "../../support/issuer.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { cutovers, type Rig, secretOf, sha256, startRig, tokens, until } from "./rig.ts";

let rig: Rig;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await rig.close();
});

interface Heard {
  readonly event: string;
  readonly data: unknown;
}

/** Opens a stream. `heard` fills as events come; `over` says that the server ended it. */
async function listen(token?: string) {
  const abort = new AbortController();
  const response = await fetch(`${rig.url}/api/v1/events`, {
    signal: abort.signal,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  const heard: Heard[] = [];
  const state = { over: false, text: "" };
  const reading = (async () => {
    const decoder = new TextDecoder();
    if (response.body === null) return;
    for await (const chunk of response.body) {
      state.text += decoder.decode(chunk, { stream: true });
      const messages = state.text.split("\n\n");
      state.text = messages.pop() ?? "";
      for (const message of messages) {
        const [, event, data] = /^event: (.+)\ndata: (.+)$/.exec(message) ?? [];
        if (event !== undefined && data !== undefined) heard.push({ event, data: JSON.parse(data) });
      }
    }
  })()
    .catch(() => undefined)
    .finally(() => {
      state.over = true;
    });
  closers.push(async () => {
    abort.abort();
    await reading;
  });
  const of = (event: string) => heard.filter((one) => one.event === event).map((one) => one.data);
  return { response, heard, of, isOver: () => state.over, leave: () => abort.abort() };
}

describe("the event stream", () => {
  test("begins with a snapshot that is what the list call gives", async () => {
    rig = await startRig({ tickMs: 20 });
    await rig.call("PUT", "/api/v1/cutovers/checkout/percent", { percent: 5, reason: "r" });
    const stream = await listen();
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
    expect(stream.response.headers.get("cache-control")).toBe("no-store");
    await until(() => stream.heard.length > 0);
    expect(stream.heard[0]).toEqual({
      event: "snapshot",
      data: (await rig.call("GET", "/api/v1/cutovers")).json,
    });
  });

  test("ticks with the server's time and sends the figures of every cutover", async () => {
    rig = await startRig({ tickMs: 20 });
    const stream = await listen();
    await until(() => stream.of("tick").length >= 2 && stream.of("metrics").length >= 2);
    const tick = tickEvent.parse(stream.of("tick")[0]);
    expect(Math.abs(Date.parse(tick.serverTime) - Date.now())).toBeLessThan(60_000);
    expect(tick.store.up).toBe(true);
    rig.traffic.recorder("search", "all").record("legacy", "server_error", 0.1);
    const errorsSeen = () => {
      const figures = metricsEvent.parse(stream.of("metrics").at(-1));
      return figures.find(({ name }) => name === "search")?.traffic.legacy.errors;
    };
    await until(() => errorsSeen() === 1);
  });

  test("tells of a change, of that cutover alone, whoever made it", async () => {
    rig = await startRig({ tickMs: 20 });
    const stream = await listen();
    await until(() => stream.heard.length > 0);
    await rig.change("search", { action: "set", percentThousandths: 33_000 });
    await until(() => stream.of("change").length > 0);
    await rig.call("POST", "/api/v1/cutovers/checkout/rollback");
    await until(() => stream.of("change").length > 1);
    const changes = z.array(cutoverView).parse(stream.of("change"));
    expect(changes.map(({ name, percent, state, version }) => ({ name, percent, state, version }))).toEqual([
      { name: "search", percent: 33, state: "open", version: 1 },
      { name: "checkout", percent: 0, state: "rolled_back", version: 1 },
    ]);
  });

  test("goes on ticking, and says so, while the store is out of reach", async () => {
    rig = await startRig({ tickMs: 20 });
    const stream = await listen();
    rig.connection = "silent";
    const isToldDown = () => stream.of("tick").some((data) => !tickEvent.parse(data).store.up);
    await until(isToldDown);
    const before = stream.of("tick").length;
    await until(() => stream.of("tick").length > before + 2);
  });

  test("needs a token in the Authorization field when tokens are configured", async () => {
    rig = await startRig({ tickMs: 20, auth: tokens });
    expect((await listen()).response.status).toBe(401);
    expect((await listen(secretOf("viewer"))).response.status).toBe(200);
  });

  test("is refused with 503 beyond the bound, until one leaves", async () => {
    rig = await startRig({ tickMs: 20, maxStreams: 2 });
    const first = await listen();
    await listen();
    const refused = await rig.call("GET", "/api/v1/events");
    expect(refused).toMatchObject({ status: 503, json: { code: "too_many_streams" } });
    first.leave();
    await until(async () => (await listen()).response.status === 200);
  });

  test("is ended for a client that does not read", async () => {
    // Long names make the figures large, so that the socket's buffers fill soon.
    const names = Array.from({ length: 2000 }, (_, index) => `cutover-${index}-${"x".repeat(40)}`);
    const sides = { legacy: "a", new: "b" };
    rig = await startRig({ tickMs: 5, cutovers: Object.fromEntries(names.map((name) => [name, sides])) });
    const socket = connect(rig.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    closers.push(async () => socket.destroy());
    await until(() => rig.lines.some(({ message }) => message.includes("not read")), 15_000);
  });

  test("ends when the server closes, and the server does not wait for it", async () => {
    rig = await startRig({ tickMs: 20 });
    const stream = await listen();
    const began = Date.now();
    await rig.close();
    await until(() => stream.isOver());
    expect(Date.now() - began).toBeLessThan(2000);
  });
});

describe("an event stream ends with what opened it", () => {
  const ops = (role: "viewer" | "operator") => {
    return { tokens: [{ name: "ops", role, sha256: sha256(secretOf("operator")) }] };
  };

  test("when its token is taken away or given another role, and not when another is", async () => {
    rig = await startRig({ tickMs: 20, auth: ops("operator") });
    const stream = await listen(secretOf("operator"));
    const other = { name: "other", role: "viewer", sha256: "0".repeat(64) } as const;
    rig.reconfigure({ cutovers, auth: { tokens: [...ops("operator").tokens, other] } });
    const { length } = stream.of("tick");
    await until(() => stream.of("tick").length > length + 2);
    expect(stream.isOver()).toBe(false);
    rig.reconfigure({ cutovers, auth: ops("viewer") });
    const heard = stream.heard.length;
    await until(stream.isOver);
    expect(stream.heard.length).toBe(heard);
  });

  test("when the issuer's token expires, or gives other roles by the configuration", async () => {
    const key = await makeKey("ec", "ES256");
    const issuer = await startIssuer([key]);
    closers.push(() => issuer.close());
    const clock = createManualTime();
    const oidc = {
      issuer: issuer.url,
      audience: "cutover",
      claim: "groups",
      roles: { sre: "viewer" },
    } as const;
    rig = await startRig({ tickMs: 20, auth: { oidc }, clock });
    const iat = Math.floor(clock.now() / 1000);
    const token = await issuer.sign(key, { iat, exp: iat + 60 });
    const [expiring, other] = [
      await listen(token),
      await listen(await issuer.sign(key, { exp: iat + 3600 })),
    ];
    await clock.advance(89_999);
    const { length } = expiring.of("tick");
    await until(() => expiring.of("tick").length > length + 2);
    await clock.advance(1);
    await until(expiring.isOver);
    expect(other.isOver()).toBe(false);
    rig.reconfigure({ cutovers, auth: { oidc: { ...oidc, roles: { sre: "operator" } } } });
    await until(other.isOver);
  });
});
