/** Two shops that call their session by one name, each on a socket of its own, behind the whole data plane. */
import { connect } from "node:http2";
import { describe, expect, test } from "vitest";
import { engineNames, type ProxyOptions, startProxy } from "../../support/proxy.ts";
import { rawClient } from "../../support/raw-client.ts";
import { type RawUpstream, type Script, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";

const { authority, pair, cleanups } = secured();

/** Answers with a session and a hint before it; grants what asks for another protocol. */
const shop =
  (sets: string): Script =>
  (connection) =>
    connection.onRequest(({ fields }) => {
      const isUpgrade = valuesOf(fields, "upgrade").length > 0;
      const head = isUpgrade
        ? `101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${sets}\r\n`
        : `103 Early Hints\r\n${sets}\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n${sets}\r\nok`;
      connection.write(`HTTP/1.1 ${head}`);
    });

async function start(options: Omit<ProxyOptions, "old" | "fresh" | "cutover">) {
  const old = await startRawUpstream(
    shop("Set-Cookie: sid=O; Path=/; HttpOnly\r\nSet-Cookie: x~fresh=O\r\n"),
  );
  const fresh = await startRawUpstream(
    shop(
      "Set-Cookie: sid=N; Path=/; HttpOnly\r\nset-cookie: theme=N\r\nSet-Cookie: __Host-cart=N; Secure; Path=/\r\n",
    ),
  );
  const proxy = await startProxy({
    ...options,
    old: { url: old.url.origin },
    fresh: { url: fresh.url.origin },
    cutover: { shopper: ["header:x-shopper-id"], cookies: { apart: ["sid", "__Host-cart"] } },
    state: { percentThousandths: 100_000 },
  });
  cleanups.push(
    () => old.close(),
    () => fresh.close(),
    () => proxy.close(),
  );
  return { proxy, old, fresh };
}

const cookiesOf = (raw: RawUpstream) => raw.requests().map(({ fields }) => valuesOf(fields, "cookie"));
const setsIn = (head: string) => [...head.matchAll(/^set-cookie: (.*)\r$/gim)].map(([, value]) => value);

const ofNew = ["sid~fresh=N; Path=/; HttpOnly", "theme=N", "__Host-cart~fresh=N; Secure; Path=/"];
const shown = [
  "Cookie: sid=O; sid~fresh=N",
  "Cookie: x~fresh=O",
  'cookie: __Host-cart~fresh="n n";theme=dark',
];
const upgrade = ["Connection: Upgrade", "Upgrade: websocket"];

describe.each(engineNames)("by %s", (engine) => {
  test("each side sees its own session alone, in requests, hints and handshakes, and on no route as the default does", async () => {
    const { proxy, old, fresh } = await start({ engine });
    const send = async (target: string, fields: readonly string[]) => {
      const client = await rawClient(proxy.port);
      cleanups.push(() => client.socket.destroy());
      client.send(`GET ${target} HTTP/1.1\r\n${["Host: shop.example", ...fields].join("\r\n")}\r\n\r\n`);
      await client.saw(fields.includes("Upgrade: websocket") ? "\r\n\r\n" : "ok");
      return client.text();
    };
    const named = ["X-Shopper-Id: ann", ...shown];

    const answer = await send("/cart/1", named);
    const [hint = "", head = ""] = answer.split("\r\n\r\n");
    expect(hint).toMatch(/^HTTP\/1\.1 103 /);
    expect([setsIn(`${hint}\r\n`), setsIn(`${head}\r\n`)]).toEqual([ofNew, ofNew]);
    expect(setsIn(await send("/cart/live", [...named, ...upgrade]))).toEqual(ofNew);
    const seen = 'sid=N; __Host-cart="n n";theme=dark';
    expect(cookiesOf(fresh).map((fields) => fields.join("; "))).toEqual([seen, seen]);

    // Nobody is named, so the side is legacy; then no route is.
    const ofOld = ["sid=O; Path=/; HttpOnly"];
    expect(setsIn(await send("/cart/1", [...shown, "Accept: application/json"]))).toEqual([
      ...ofOld,
      ...ofOld,
    ]);
    expect(setsIn(await send("/about", named))).toEqual([...ofOld, ...ofOld]);
    expect(setsIn(await send("/about", [...named, ...upgrade]))).toEqual(ofOld);
    expect(cookiesOf(old).map((fields) => fields.join("; "))).toEqual(Array(3).fill("sid=O; theme=dark"));
    expect(proxy.counted.filter((what) => what === "dropped cookie name")).toHaveLength(5);
    expect(proxy.faults).toEqual([]);
  });

  test("cookie crumbs of HTTP/2 are told apart one by one (RFC 9113 §8.2.3)", async () => {
    const { proxy, old, fresh } = await start({ engine, tls: pair });
    const session = connect(`https://localhost:${proxy.port}`, { ca: authority.caPem });
    cleanups.push(() => session.destroy());
    const ask = async (headers: Readonly<Record<string, string>>) => {
      const cookie = ["sid=O", "sid~fresh=N", "theme=dark", "__Host-cart~fresh=1", "x~fresh=O"];
      const stream = session.request({ ":path": "/cart/1", ...headers, cookie });
      const [sets] = await new Promise<unknown[]>((resolve, reject) => {
        stream.on("response", (got) => resolve([got["set-cookie"]])).on("error", reject);
      });
      stream.close();
      return sets;
    };
    expect(await ask({ "x-shopper-id": "ann" })).toEqual(ofNew);
    expect(await ask({})).toEqual(["sid=O; Path=/; HttpOnly"]);
    await until("both have seen it", () => fresh.requests().length === 1 && old.requests().length === 1);
    expect(cookiesOf(fresh)).toEqual([["sid=N; theme=dark; __Host-cart=1"]]);
    expect(cookiesOf(old)).toEqual([["sid=O; theme=dark"]]);
  });
});
