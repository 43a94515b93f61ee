/** A head that does not come, or comes an octet at a time (slow-loris). Of the listener alone: no engine has a part. */
import { afterEach, describe, expect, test } from "vitest";
import { startProxy } from "../../support/proxy.ts";
import { answering, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { connectRaw } from "../../support/wire-client.ts";
import { get, ok } from "./lab.ts";

const headTimeoutMs = 200;

describe("a head that takes too long", () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  async function start() {
    const raw = await startRawUpstream(answering(ok()));
    cleanups.push(() => raw.close());
    const proxy = await startProxy({ old: { url: raw.url.origin }, headTimeoutMs });
    cleanups.push(() => proxy.close());
    const client = await connectRaw(`http://127.0.0.1:${proxy.port}`);
    cleanups.push(async () => client.socket.destroy());
    return { raw, proxy, client };
  }

  test.each([
    ["that stops in the request line", "GET / HT"],
    ["that stops among the fields", "GET / HTTP/1.1\r\nHost: shop.example\r\nX-A: "],
    ["that lacks its last line", "GET / HTTP/1.1\r\nHost: shop.example\r\n"],
  ])("%s → 408 and close (RFC 9110 §15.5.9)", async (_, bytes) => {
    const { raw, proxy, client } = await start();
    client.write(bytes);
    const answer = await client.response();
    expect(answer.status).toBe(408);
    expect(valuesOf(answer.fields, "connection")).toEqual(["close"]);
    expect(await client.closed()).toBe("fin");
    expect(raw.requests()).toEqual([]);
    expect(proxy.counted).toEqual(["refused 408"]);
  });

  test("an octet at a time → 408 all the same: it is the head that has a time, not its octets", async () => {
    const { client } = await start();
    client.write("GET / HTTP/1.1\r\nX-A: ");
    const dripping = setInterval(() => client.write("a"), 20);
    cleanups.push(async () => clearInterval(dripping));
    expect((await client.response()).status).toBe(408);
  });

  test("on a kept connection → 408 too", async () => {
    const { client } = await start();
    client.write(get());
    expect((await client.response()).status).toBe(200);
    client.write("GET / HT");
    expect((await client.response()).status).toBe(408);
  });

  test("a connection on which nothing is sent closes without a word, and is no request", async () => {
    const { proxy, client } = await start();
    expect(await client.closed()).toBe("fin");
    expect(client.received()).toHaveLength(0);
    expect(proxy.counted).toEqual([]);
  });
});
