/**
 * Cookies kept apart, over whatever shops set: what one sets under such a name is sent to it alone, byte for byte, and all
 * others go to everybody as without the proxy. The client is a browser that keeps what it is told.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { apartCookiesOf } from "../../src/proxy/relay/cookies/apart.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const numRuns = process.env.CUTOVER_BARS === "full" ? 20_000 : 1000;

const url = "http://127.0.0.1:1";
const route = (path: string) => ({ shopper: ["visitor"], routes: [{ name: "all", path }] });
/** `old` keeps plain names, of `fresh` some are kept apart, of `pay` all. */
const apart = { old: [], fresh: ["sid", "session*", "__Host-sid", "a~fresh"], pay: ["*"] } as const;
type Shop = keyof typeof apart;
const shops = ["old", "fresh", "pay"] as const;
const config = configSchema.parse({
  upstreams: { old: { url }, fresh: { url }, pay: { url } },
  default: "old",
  cutovers: {
    cart: { legacy: "old", new: "fresh", ...route("/cart"), cookies: { apart: apart.fresh } },
    payment: { legacy: "old", new: "pay", ...route("/pay"), cookies: { apart: apart.pay } },
  },
});
const cookies = apartCookiesOf(config);

/** What the configuration means, said once more and otherwise. */
const isNamed = (shop: Shop, name: string) =>
  apart[shop].some((pattern) =>
    pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
const isSuffixed = (name: string) => /~(?:fresh|pay)$/.test(name);

const name = fc.oneof(
  fc.constantFrom("sid", "session", "session1", "__Host-sid", "theme", "XSRF-TOKEN", "a"),
  fc
    .tuple(
      fc.constantFrom("sid", "session", "theme", "a", ""),
      fc.constantFrom("~fresh", "~pay", "~old", "~fresh~pay", "~pay~fresh"),
    )
    .map(([one, other]) => one + other),
  fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/),
);
const value = fc
  .string({ unit: fc.constantFrom(...'ab01=~"%, /\xe9\xff'.split("")), maxLength: 12 })
  .map((text) => text.trim());
const space = fc.constantFrom("", "", "", " ", "\t", "  ");
const attributes = fc.constantFrom(
  "",
  "; Path=/",
  ";Path=/; Secure; HttpOnly",
  "; SameSite=None; Partitioned",
);

/** A shop sets a cookie, or deletes one. */
const step = fc.record({
  shop: fc.constantFrom(...shops),
  name,
  value,
  isDeletion: fc.boolean(),
  spaces: fc.tuple(space, space, space),
  attributes,
});

/** The Cookie fields of a request, cut as HTTP/1.1 and HTTP/2 may (RFC 9113 §8.2.3). */
function fieldsOf(browser: ReadonlyMap<string, string>, perField: number): string[] {
  const pairs = [...browser].map(([key, text]) => `${key}=${text}`);
  const fields: string[] = [];
  for (let i = 0; i < pairs.length; i += perField) fields.push(pairs.slice(i, i + perField).join("; "));
  return fields;
}

function seenBy(shop: Shop, fields: readonly string[]): string[] {
  const seen = fields.map((field) => cookies.get(shop)?.toUpstream(field) ?? "?");
  return seen.filter((field) => field !== "").flatMap((field) => field.split("; "));
}

test(`what a shop sets under a name kept apart comes back to it alone, byte for byte (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 4 }), (steps, perField) => {
      const browser = new Map<string, string>();
      const shared = new Map<string, string>();
      const own = {
        old: new Map<string, string>(),
        fresh: new Map<string, string>(),
        pay: new Map<string, string>(),
      };
      for (const { shop, name: key, value: text, isDeletion, spaces, attributes: rest } of steps) {
        const [before, between, after] = spaces;
        const set = `${before}${key}${between}=${after}${text}${rest}${isDeletion ? "; Max-Age=0" : ""}`;
        const fields = ["Set-Cookie", set];
        cookies.get(shop)?.toClient(fields, () => ({
          cookies: fieldsOf(browser, perField),
          nowMs: 0,
          dropped: (why) => expect(why).toBe("name"),
        }));
        const [, kept] = fields;
        if (kept !== undefined) {
          const [pair = "", ...others] = kept.split(";");
          expect(others.join(";")).toBe(set.split(";").slice(1).join(";"));
          const at = pair.indexOf("=");
          const told = pair.slice(0, at).trim();
          expect(told.startsWith(key)).toBe(true);
          if (isDeletion) browser.delete(told);
          else browser.set(told, pair.slice(at + 1).trim());
        }
        const place = isNamed(shop, key) ? own[shop] : isSuffixed(key) ? undefined : shared;
        if (isDeletion) place?.delete(key);
        else place?.set(key, text);
      }
      for (const shop of shops) {
        const others = [...shared].filter(([key]) => !isNamed(shop, key));
        const expected = [...own[shop], ...others].map(([key, text]) => `${key}=${text}`);
        expect(seenBy(shop, fieldsOf(browser, perField)).toSorted()).toEqual(expected.toSorted());
      }
    }),
    { seed, numRuns },
  );
});
