/** A session of the admin API's page in a shop's hands: whoever runs the shop could then roll back, or raise. */
import { afterEach, describe, expect, test } from "vitest";
import { securePrefix, sessionCookie, signInCookie } from "../../../src/config/values/page-cookies.ts";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { rawClient } from "../../support/raw-client.ts";
import { answering, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import { ok } from "./lab.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const names = [sessionCookie, signInCookie].flatMap((name) => [name, securePrefix + name]);
const upgrade = ["Connection: Upgrade", "Upgrade: websocket"];

describe.each(engineNames)("by %s", (engine) => {
  test("the page's cookies reach no shop, by neither name, and the shop's own do as they came", async () => {
    const raw = await startRawUpstream(answering(ok()));
    cleanups.push(() => raw.close());
    const proxy = await startProxy({ old: { url: raw.url.origin }, engine });
    cleanups.push(() => proxy.close());
    const pairs = names.map((name) => `${name}=SECRET`);
    const requests = [
      [`Cookie: sid=1; ${pairs.join("; ")};  theme="dark"`],
      [`Cookie: ${pairs.join(";")}`, "Cookie: sid=1", ...pairs.map((pair) => `cookie: ${pair}`)],
      [...upgrade, `Cookie: ${pairs.join("; ")}; sid=1`],
    ];
    for (const [at, fields] of requests.entries()) {
      const client = await rawClient(proxy.port);
      cleanups.push(() => void client.socket.destroy());
      client.send(`GET /cart HTTP/1.1\r\n${["Host: shop.example", ...fields].join("\r\n")}\r\n\r\n`);
      await until(`request ${at}`, () => raw.requests().length > at);
    }
    const seen = raw.requests().map(({ fields }) => valuesOf(fields, "cookie").join("; "));
    expect(seen).toEqual([`sid=1;  theme="dark"`, "sid=1", "sid=1"]);
    expect(JSON.stringify(raw.requests())).not.toContain("SECRET");
  });
});
