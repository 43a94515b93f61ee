/**
 * Browsers of a shop with accounts, in front of one exchange: each has a jar of the proxy's own cookies, and is logged in or
 * not. Between two requests nothing happens but what the test does.
 */
import type { Side } from "../../src/state/rules/model.ts";
import { answer, createFixture, type FixtureOptions } from "./exchange-fixture.ts";
import { valuesOf } from "./raw-upstream.ts";
import { turn } from "./until.ts";

export interface Browser {
  readonly jar: Map<string, string>;
  /** Absent: not logged in. */
  account: string | undefined;
  /** What it sends with each request besides, flat. */
  readonly fields?: readonly string[];
}

interface Browsed {
  readonly side: Side;
  readonly reason: string;
  /** The proxy's cookies that came with the answer, by name. */
  readonly given: ReadonlyMap<string, string>;
  /** What the upstream was sent. */
  readonly sent: readonly string[];
}

export function createBrowsers(options: FixtureOptions) {
  const fixture = createFixture({
    ...options,
    cutover: { shopper: ["cookie:account", "visitor"], ...options.cutover },
  });
  return {
    fixture,
    open: (account?: string): Browser => ({ jar: new Map(), account }),
    /** Opens a page, or sends another request as the page would. @param answered fields of the answer, flat */
    async browse(
      { jar, account, fields: own = [] }: Browser,
      method = "GET",
      path = "/cart/1",
      answered: readonly string[] = [],
    ): Promise<Browsed> {
      const all = account === undefined ? [...jar] : [...jar, ["account", account] as const];
      const cookie = all.map(([name, value]) => `${name}=${value}`).join("; ");
      const fields = ["Host", "shop.example", "Sec-Fetch-Mode", "navigate", ...own];
      if (cookie !== "") fields.push("Cookie", cookie);
      const before = fixture.attempts.length;
      const client = fixture.send({ method, target: path, fields });
      for (let turns = 0; fixture.attempts.length === before && turns < 50; turns++) await turn();
      const attempt = fixture.attempts.at(-1);
      answer(attempt, method === "GET" ? 200 : 201, answered, "ok");
      const given = new Map<string, string>();
      for (const text of valuesOf(client.heads.at(-1)?.fields ?? [], "set-cookie")) {
        const [, name = "", value = "", age] = /^([^=]+)=([^;]*).*; Max-Age=(\d+)/.exec(text) ?? [];
        given.set(name, value);
        if (age === "0") jar.delete(name);
        else jar.set(name, value);
      }
      const [side, reason = ""] = fixture.decisions.at(-1)?.split(" ") ?? [];
      const sent = valuesOf(attempt?.request.fields ?? [], "cookie");
      return { side: side === "new" ? "new" : "legacy", reason, given, sent };
    },
  };
}
