/**
 * nginx with its own defaults for compression, `gzip on` as Debian ships it, behind the proxy: it compresses nothing for a
 * request that has Via (`gzip_proxied off`).
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInstalled, type Oracle, startProgram } from "../../support/oracles.ts";
import { type RunningProxy, startProxy } from "../../support/proxy.ts";
import { valuesOf } from "../../support/raw-upstream.ts";
import { connectRaw } from "../../support/wire-client.ts";
import { get } from "./lab.ts";

const page = "<p>a page of a shop</p>\n".repeat(2500);

function nginxConfig(folder: string, [port]: readonly number[]): string {
  writeFileSync(join(folder, "index.html"), page);
  return `
daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr emerg;
events { worker_connections 64; }
http {
  access_log off; gzip on; types { text/html html; }
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:${port}; root ${folder}; }
}`;
}

describe.skipIf(!isInstalled("nginx"))("a page of 60,000 bytes from an nginx that compresses", () => {
  let nginx: Oracle;
  const running: RunningProxy[] = [];
  beforeAll(async () => {
    nginx = await startProgram("nginx", 1, nginxConfig);
  });
  afterAll(async () => {
    for (const proxy of running.splice(0)) await proxy.close();
    await nginx.close();
  });

  test.each([
    ["both", false, "1.1 cutover-test"],
    ["response", true, "1.1 cutover-test"],
    ["off", true, undefined],
  ])("via: %s: compressed is %s, and the answer's Via %s", async (via, isCompressed, named) => {
    const proxy = await startProxy({ old: { url: nginx.urls[0]?.origin, via } });
    running.push(proxy);
    const client = await connectRaw(`http://127.0.0.1:${proxy.port}`);
    client.write(get("/index.html", ["Accept-Encoding: gzip"]));
    const { status, fields, body } = await client.response();
    client.socket.destroy();
    expect(status).toBe(200);
    expect(valuesOf(fields, "via")).toEqual(named === undefined ? [] : [named]);
    expect(valuesOf(fields, "content-encoding")).toEqual(isCompressed ? ["gzip"] : []);
    if (isCompressed) expect(body.length).toBeLessThan(1000);
    else expect(body.length).toBe(page.length);
  });
});
