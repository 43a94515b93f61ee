/**
 * One suite for both engines. `duties` runs every duty against each; where an engine is known not to meet one, its
 * name stands in known-deviations.ts, and what it does instead is asserted in its place.
 */
import type { Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { createHttpProxyUpstream } from "../../../src/proxy/upstream/http-proxy/engine.ts";
import type {
  CreateUpstream,
  ForwardBody,
  Forwarding,
  ForwardRequest,
  Upstream,
  UpstreamTimeouts,
} from "../../../src/proxy/upstream/port.ts";
import { createUndiciUpstream } from "../../../src/proxy/upstream/undici/engine.ts";
import { type RawUpstream, type Script, startRawUpstream } from "../../support/raw-upstream.ts";
import { type Recording, recordingSink } from "../../support/recording-sink.ts";
import { until } from "../../support/until.ts";
import { engineDeviations } from "../known-deviations.ts";

export const engines = {
  undici: createUndiciUpstream,
  "http-proxy": createHttpProxyUpstream,
} as const satisfies Record<string, CreateUpstream>;
export type EngineName = keyof typeof engines;

const generous: UpstreamTimeouts = { connectMs: 2000, headersMs: 5000, idleMs: 5000 };

export interface Sent extends Forwarding {
  readonly sink: Recording;
}

export interface Lab {
  readonly engine: EngineName;
  upstream(
    script: Script,
    options?: { connections?: number; timeouts?: Partial<UpstreamTimeouts> },
  ): Promise<{ raw: RawUpstream; upstream: Upstream }>;
  /** An upstream of an origin nobody plays. */
  to(url: URL, timeouts?: Partial<UpstreamTimeouts>, connections?: number): Upstream;
}

type Check = (lab: Lab) => Promise<void>;

export function duties(
  title: string,
  define: (duty: (name: string, met: Check, deviating?: Check) => void) => void,
) {
  describe.each(Object.keys(engines).filter(isEngine))(`${title}, by %s`, (engine) => {
    const cleanups: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });
    const to: Lab["to"] = (url, timeouts, connections) => {
      const upstream = engines[engine]({
        name: "upstream",
        url,
        connections,
        timeouts: { ...generous, ...timeouts },
      });
      cleanups.push(() => upstream.close());
      return upstream;
    };
    const lab: Lab = {
      engine,
      to,
      async upstream(script, options = {}) {
        const raw = await startRawUpstream(script);
        const upstream = to(raw.url, options.timeouts, options.connections);
        cleanups.push(() => raw.close());
        return { raw, upstream };
      },
    };
    define((name, met, deviating) => {
      if (!engineDeviations[engine].includes(name)) {
        test(name, () => met(lab));
        return;
      }
      test(`deviates: ${name}`, async () => {
        if (deviating === undefined) throw new Error("a deviation is listed and its assertion is missing");
        await deviating(lab);
      });
    });
  });
}

function isEngine(name: string): name is EngineName {
  return name in engines;
}

export function request(change: Partial<ForwardRequest> = {}): ForwardRequest {
  return { method: "GET", target: "/", fields: ["Host", "shop.example"], body: { kind: "none" }, ...change };
}

export function sized(
  content: Buffer | Readable,
  length = Buffer.isBuffer(content) ? content.length : 0,
): ForwardBody {
  return { kind: "sized", length, content };
}

export function send(upstream: Upstream, what: Partial<ForwardRequest> = {}, sink = recordingSink()): Sent {
  const forwarding = upstream.forward(request(what), sink);
  return { sink, resume: () => forwarding.resume(), abort: () => forwarding.abort() };
}

/** Sends, waits for the end, and expects a whole response in good order. */
export async function exchange(upstream: Upstream, what: Partial<ForwardRequest> = {}): Promise<Recording> {
  const { sink } = send(upstream, what);
  await sink.over;
  expect(sink.failures()).toEqual([]);
  expect(sink.faults).toEqual([]);
  return sink;
}

/** Sends, waits, and expects one failure and nothing after it. */
export async function failing(upstream: Upstream, what: Partial<ForwardRequest> = {}): Promise<Recording> {
  const { sink } = send(upstream, what);
  await sink.over;
  expect(sink.failures()).toHaveLength(1);
  expect(sink.faults).toEqual([]);
  return sink;
}

export const ok = (body = "ok"): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** The upstream sees the end of a connection within the time an abort may take. */
export async function closesSoon(raw: RawUpstream, index = 0): Promise<void> {
  await until("the end of the connection", () => raw.connections[index]?.closedBy() !== "open", soonMs);
}

export const soonMs = 100;
