/** A process that has no descriptor left refuses clients, and says how many. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { createAuthority } from "../support/certificates.ts";
import { type Runner, startServe } from "../support/cutover.ts";
import { endsWithTest, pidOf } from "../support/processes.ts";
import { scrape, sumOf } from "../support/scrape.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";

const isFull = process.env.CUTOVER_BARS === "full";

const cleanups: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test.concurrent.each(isFull ? [false, true] : [true])(
  "clients refused for want of descriptors are counted, every one, TLS %s",
  async (isSecure) => {
    const folder = await mkdtemp(join(tmpdir(), "cutover-descriptors-"));
    cleanups.push(() => rm(folder, { recursive: true }));
    const sides = await startSides();
    cleanups.push(() => sides.stop());
    const authority = createAuthority();
    cleanups.push(async () => authority.remove());
    const { cert, key } = authority.issue("shop");
    const tls = isSecure ? `, tls: { cert: '${cert}', key: '${key}' }` : "";
    const yaml = serveYaml({ sides, listeners: { proxy: `port: 0${tls}` } });
    const serve = await startServe({ folder, name: "descriptors", yaml, runner: withDescriptors(120) });
    cleanups.push(() => serve.kill());
    const { port } = new URL(serve.proxy);
    const sockets = Array.from({ length: 150 }, () => connect(Number(port), "127.0.0.1"));
    cleanups.push(async () => sockets.forEach((socket) => void socket.destroy()));
    let closed = 0;
    for (const socket of sockets) {
      socket
        .on("error", () => undefined)
        .on("close", () => {
          closed += 1;
        });
    }
    await sleep(1500);
    const figures = await scrape(serve.admin);
    const refused = sumOf(figures, "cutover_client_connections_refused_total");
    console.log(`120 descriptors, 150 clients: ${closed} closed, ${refused} counted`);
    expect(closed).toBeGreaterThan(50);
    expect(refused).toBe(closed);
  },
);

/** Starts the process with so many descriptors at most. */
function withDescriptors(most: number): Runner {
  return {
    async run(words, folder, logged) {
      const script = `ulimit -n ${most}; exec "$@" >>'${logged}' 2>&1`;
      const child = spawn("sh", ["-c", script, "sh", ...words], { cwd: folder, stdio: "ignore" });
      endsWithTest(child);
      const exit = once(child, "exit").then(([code]) => (typeof code === "number" ? code : null));
      return { pid: pidOf(child), exit };
    },
  };
}
