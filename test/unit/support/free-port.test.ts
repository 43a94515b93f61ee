import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort } from "../../support/free-port.ts";

test("a free port is none that the system may give to a connection meanwhile", async () => {
  const range = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "32768 60999");
  const [low = 0, high = 0] = range.trim().split(/\s+/).map(Number);
  for (let i = 0; i < 200; i++) {
    const port = await freePort();
    expect(port < low || port > high).toBe(true);
  }
});

test("a free port can be listened on", async () => {
  const server = createServer().listen(await freePort(), "127.0.0.1");
  await once(server, "listening");
  server.close();
});
