/** `cutover serve` with workers behind a balancer that says by the PROXY protocol whose each connection is. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startServe } from "../support/cutover.ts";
import { version2 } from "../support/proxy-header.ts";
import { answering, startRawUpstream, valuesOf } from "../support/raw-upstream.ts";
import { scrape } from "../support/scrape.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { connectRaw } from "../support/wire-client.ts";

test("each worker reads the header, counts what is none, and the log says it once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-header-"));
  const raw = await startRawUpstream(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  const yaml = serveYaml({
    sides: { legacy: raw.url.origin, new: raw.url.origin },
    workers: 2,
    listeners: { proxy: "port: 0, proxyProtocol: true" },
    more: ["trustedProxies: [127.0.0.1]"],
  });
  const serve = await startServe({ folder, name: "header", yaml });
  try {
    for (let i = 0; i < 20; i++) {
      const { write, response, socket } = await connectRaw(serve.proxy);
      write(i % 2 === 0 ? version2({}) : "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n");
      write("GET /cart/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n");
      expect((await response()).status).toBe(200);
      socket.destroy();
    }
    const told = raw.requests().flatMap(({ fields }) => valuesOf(fields, "x-forwarded-for"));
    expect(told).toEqual(Array.from({ length: 20 }, () => "203.0.113.7"));
    for (let i = 0; i < 3; i++) {
      const { write, closed } = await connectRaw(serve.proxy);
      write("GET /cart/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n");
      await closed();
    }
    const refused = async () =>
      (await scrape(serve.admin)).get('cutover_proxy_protocol_refused_total{fault="missing"}');
    await expect.poll(refused, { timeout: 5000 }).toBe(3);
    const said = (await serve.lines()).filter(({ fault }) => fault === "missing");
    expect(said.length).toBeGreaterThan(0);
    expect(said.length).toBeLessThanOrEqual(2);
  } finally {
    await serve.kill();
    await raw.close();
    await rm(folder, { recursive: true });
  }
});
