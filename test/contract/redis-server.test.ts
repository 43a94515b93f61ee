import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const support = fileURLToPath(new URL("../support/redis.ts", import.meta.url));

// vitest ends its processes by a signal.
test.each([
  ["exits", "process.exit()"],
  ["is told to end", "process.kill(process.pid, 'SIGTERM')"],
])(
  "a redis-server that nobody stopped ends with the process that started it, when that %s",
  async (_, end) => {
    const program = `
    const { startRedis } = await import(${JSON.stringify(support)});
    const { port } = await startRedis();
    process.stdout.write(String(port), () => ${end});`;
    const words = ["--import", "tsx", "--input-type=module", "--eval", program];
    const { stdout } = await run(process.execPath, words).catch(({ stdout }: { stdout: string }) => ({
      stdout,
    }));
    const connected = once(connect(Number(stdout), "127.0.0.1"), "connect");
    await expect(connected).rejects.toMatchObject({ code: "ECONNREFUSED" });
  },
);
