/**
 * The whole proxy between two raw sockets, once with each engine: client socket → listener → exchange → engine →
 * raw upstream. `duties` runs every duty against each; what an engine knowingly does not do is listed in
 * known-deviations.ts, and what it does instead is asserted in its place.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.ts";
import { composeInstance } from "../../../src/instance/instance.ts";
import {
  type RawUpstream,
  type ReceivedRequest,
  type Script,
  startRawUpstream,
} from "../../support/raw-upstream.ts";
import { connectRaw, type RawClient, type ReceivedResponse } from "../../support/wire-client.ts";
import { proxyDeviations } from "../known-deviations.ts";
import { createSharedProxy } from "./shared-proxy.ts";

export type EngineName = keyof typeof proxyDeviations;

export interface RunningOptions {
  /** In the configuration's words. */
  readonly timeouts?: Readonly<Record<string, string>>;
  readonly connections?: number;
  /** Over the upstream, and the limits of the proxy. */
  readonly upstream?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
  /** How long a client's kept connection may be idle. */
  readonly idle?: string;
  readonly trustedProxies?: readonly string[];
  /** Over a cutover on /cart/* whose both sides are the one upstream. */
  readonly cutover?: Readonly<Record<string, unknown>>;
  /** Instead of the raw upstream's. */
  readonly url?: string;
}

export interface Running {
  readonly url: string;
  readonly adminUrl: string;
  readonly raw: RawUpstream;
  client(): Promise<RawClient>;
  /** Sends the bytes on a connection of their own and takes one answer. */
  answerTo(bytes: string | Buffer, method?: string): Promise<ReceivedResponse>;
  /** The request the upstream has seen, when exactly one is expected to have come. */
  seen(): ReceivedRequest;
  /** The value of each series of a metric, by its labels as they stand on the page. */
  metric(name: string): Promise<Readonly<Record<string, number>>>;
  /** Counted requests by outcome, those with none left out. */
  outcomes(): Promise<Readonly<Record<string, number>>>;
  /** Waits until as many requests are counted, and expects these outcomes and none in flight. */
  expectOutcomes(expected: Readonly<Record<string, number>>): Promise<void>;
  /** Connections the upstream has that neither side has closed. */
  openUpstream(): number;
}

export interface Lab {
  readonly engine: EngineName;
  /** Without options a test is given the proxy that one before it had, with nothing left of that. */
  start(script: Script, options?: RunningOptions): Promise<Running>;
}

/** For who needs a proxy that has never served: options, and so no shared one. */
export const unused: RunningOptions = {};

type Check = (lab: Lab) => Promise<void>;

/** Defines a duty: its name carries the clause. */
export type Duty = (name: string, met: Check, deviating?: Check) => void;

export function duties(title: string, define: (duty: Duty) => void): void {
  describe.each(engineNames)(`${title}, with %s`, (engine) => {
    const cleanups: (() => Promise<unknown>)[] = [];
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });
    const shared = createSharedProxy(engine);
    afterAll(() => shared.close());
    const lab: Lab = {
      engine,
      async start(script, options) {
        if (options === undefined && !shared.isTaken()) return shared.take(script, cleanups);
        const raw = await startRawUpstream(script);
        cleanups.push(() => raw.close());
        return startProxy(engine, raw, options ?? unused, cleanups);
      },
    };
    define((name, met, deviating) => {
      if (!proxyDeviations[engine].includes(name)) {
        test(name, () => met(lab), withinMs);
        return;
      }
      test(`deviates: ${name}`, async () => {
        if (deviating === undefined) throw new Error("a deviation is listed and its assertion is missing");
        await deviating(lab);
      });
    });
  });
}

/** For a machine that does much else at the same time. */
const withinMs = 60_000;

export const engineNames = ["undici", "http-proxy"] as const satisfies readonly EngineName[];

export async function startProxy(
  engine: EngineName,
  raw: RawUpstream,
  options: RunningOptions,
  cleanups: (() => Promise<unknown>)[],
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "cutover-wire-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const upstream = {
    url: options.url ?? raw.url.origin,
    timeouts: options.timeouts ?? {},
    ...(options.connections === undefined ? {} : { connections: options.connections }),
    ...options.upstream,
  };
  const config = configSchema.parse({
    listeners: {
      proxy: { port: 0, ...(options.idle === undefined ? {} : { idle: options.idle }) },
      admin: { port: 0 },
    },
    limits: options.limits ?? {},
    engine,
    store: "memory:",
    snapshot: "off",
    trustedProxies: options.trustedProxies ?? [],
    upstreams: { shop: upstream, market: upstream },
    default: "shop",
    cutovers: {
      checkout: {
        legacy: "shop",
        new: "market",
        shopper: ["header:x-shopper-id"],
        routes: [{ name: "cart", path: "/cart/*" }],
        ...options.cutover,
      },
    },
  });
  const instance = await composeInstance(config, {
    logPath: join(folder, "log"),
    accessLog: false,
    version: "test",
  });
  cleanups.push(() => instance.close());
  const clients: RawClient[] = [];
  // Runs before the instance closes, which would wait for them.
  cleanups.push(async () => {
    for (const { socket } of clients) socket.destroy();
  });
  const client = async () => {
    const connected = await connectRaw(instance.proxy.url);
    clients.push(connected);
    return connected;
  };
  const metric = async (name: string) => {
    const text = await (await fetch(`${instance.admin.url}/metrics`)).text();
    return [...text.matchAll(new RegExp(`^${name}\\{(.*)\\} (.*)$`, "gm"))].map(([, labels, value]) => ({
      labels: labels ?? "",
      value: Number(value),
    }));
  };
  const outcomes = async () => {
    const found: Record<string, number> = {};
    for (const { labels, value } of await metric("cutover_requests_total")) {
      const outcome = /outcome="(\w+)"/.exec(labels)?.[1] ?? "";
      if (value > 0) found[outcome] = (found[outcome] ?? 0) + value;
    }
    return found;
  };
  return {
    url: instance.proxy.url,
    adminUrl: instance.admin.url,
    raw,
    client,
    async answerTo(bytes, method = "GET") {
      const { write, response } = await client();
      write(bytes);
      return response(method);
    },
    seen() {
      const [request, ...more] = raw.requests();
      expect(more).toEqual([]);
      if (request === undefined) throw new Error("the upstream has seen no request");
      return request;
    },
    async metric(name) {
      const text = await (await fetch(`${instance.admin.url}/metrics`)).text();
      const lines = [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (.*)$`, "gm"))];
      return Object.fromEntries(lines.map(([, labels, value]) => [labels ?? "", Number(value)]));
    },
    outcomes,
    async expectOutcomes(expected) {
      const wanted = Object.values(expected).reduce((sum, count) => sum + count, 0);
      let found = await outcomes();
      const deadline = performance.now() + 3000;
      const total = () => Object.values(found).reduce((sum, count) => sum + count, 0);
      while (total() < wanted && performance.now() < deadline) found = await outcomes();
      expect(found).toEqual(expected);
      const inFlight = await metric("cutover_inflight_requests");
      expect(inFlight.filter(({ value }) => value !== 0)).toEqual([]);
    },
    openUpstream: () =>
      raw.connections.filter(({ socket, closedBy }) => closedBy() === "open" && !socket.destroyed).length,
  };
}

/** Bytes of a request: the start line, the fields given, a Host where none is among them, a body. */
export function request(line: string, fields: readonly string[] = [], body = ""): string {
  const host = fields.some((field) => /^host *:/i.test(field)) ? [] : ["Host: shop.example"];
  return `${[`${line} HTTP/1.1`, ...host, ...fields].join("\r\n")}\r\n\r\n${body}`;
}

export const get = (target = "/", fields: readonly string[] = []): string => request(`GET ${target}`, fields);

export const post = (body: string, fields: readonly string[] = [], target = "/"): string =>
  request(`POST ${target}`, [...fields, `Content-Length: ${body.length}`], body);

export const chunked = (line: string, chunks: readonly string[], fields: readonly string[] = []): string =>
  request(
    line,
    [...fields, "Transfer-Encoding: chunked"],
    `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`,
  );

export const ok = (body = "ok", fields: readonly string[] = []): string =>
  `HTTP/1.1 200 OK\r\n${fields.map((field) => `${field}\r\n`).join("")}Content-Length: ${body.length}\r\n\r\n${body}`;

/**
 * The time until a condition holds, in milliseconds that this process, and the proxy in it, had of the machine: it is
 * asked at most once in each `everyMs`, so time in which others had the machine counts as one of these.
 */
export async function timeUntil(
  what: string,
  condition: () => boolean | Promise<boolean>,
  everyMs = 1,
): Promise<number> {
  const began = performance.now();
  let asked = 0;
  for (; !(await condition()); asked++) {
    if (asked * everyMs > 5000) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return Math.min(asked * everyMs, performance.now() - began);
}
