/** Cookies of visits and logins on real sockets: given, kept private, and never seen by a shop. */
import { type ClientHttp2Session, connect } from "node:http2";
import { request } from "node:https";
import { describe, expect, test } from "vitest";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";

const { authority, pair, cleanups } = secured();

interface Got {
  readonly sets: readonly string[];
  readonly cacheControl: string | undefined;
}
type Get = (headers: Readonly<Record<string, string>>) => Promise<Got>;

function overHttp1(port: number, ca: Buffer): Get {
  return (headers) =>
    new Promise((resolve, reject) => {
      request(`https://localhost:${port}/cart/1`, { ca, headers }, (got) => {
        const { "set-cookie": sets = [], "cache-control": cacheControl } = got.headers;
        got.resume().on("end", () => resolve({ sets, cacheControl }));
      })
        .on("error", reject)
        .end();
    });
}

function overHttp2(session: ClientHttp2Session): Get {
  return (headers) =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ":path": "/cart/1", ...headers }).on("error", reject);
      stream.on("response", ({ "set-cookie": sets = [], "cache-control": cacheControl }) => {
        stream.resume().on("end", () => resolve({ sets, cacheControl }));
      });
    });
}

describe.each(engineNames)("by %s", (engine) => {
  test.each(["1.1", "2"])(
    "HTTP/%s: three cookies with the first page, none with the next, and none to a shop",
    async (version) => {
      const shop = await startRawUpstream((connection) =>
        connection.onRequest(() =>
          connection.write(
            "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 2\r\n\r\nok",
          ),
        ),
      );
      const proxy = await startProxy({
        engine,
        tls: pair,
        old: { url: shop.url.origin },
        cutover: { shopper: ["header:x-account", "visitor"], visit: {}, identity: { link: {} } },
        state: { percentThousandths: 50_000, version: 1 },
      });
      cleanups.push(
        () => shop.close(),
        () => proxy.close(),
      );
      const session =
        version === "2" ? connect(`https://localhost:${proxy.port}`, { ca: authority.caPem }) : undefined;
      if (session !== undefined) cleanups.push(() => session.destroy());
      const get = session === undefined ? overHttp1(proxy.port, authority.caPem) : overHttp2(session);
      const first = await get({ "sec-fetch-mode": "navigate" });
      expect(first.sets.map((text) => text.split("=")[0]).sort()).toEqual([
        "cutover_link",
        "cutover_visit",
        "cutover_visitor",
      ]);
      for (const text of first.sets)
        expect(text).toMatch(/; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax; Secure$/);
      expect(first.cacheControl).toBe("private, max-age=60");
      proxy.set({ percentThousandths: 100_000, version: 2 });
      const cookie = ["theme=dark", ...first.sets.map((text) => text.split(";")[0] ?? "")].join("; ");
      const next = await get({ cookie });
      expect([next.sets, next.cacheControl]).toEqual([[], "public, max-age=60"]);
      expect(proxy.decisions[1]).toBe(`${proxy.decisions[0]?.split(" ")[0]} visit`);
      expect(shop.requests().map(({ fields }) => valuesOf(fields, "cookie"))).toEqual([[], ["theme=dark"]]);
      expect(proxy.faults).toEqual([]);
    },
  );
});
