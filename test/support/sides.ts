/** Two real upstreams, legacy and new, that say who they are: response field `x-side`, and the body. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const child = fileURLToPath(new URL("./sides-child.ts", import.meta.url));
const ports = z.object({ legacy: z.int(), new: z.int() });

export interface Sides {
  /** `http://127.0.0.1:PORT` */
  readonly legacy: string;
  readonly new: string;
  stop(): Promise<void>;
}

/** In a process of their own, so that they take no turns of the test's event loop; it ends with the test's. */
export async function startSides(): Promise<Sides> {
  const started = spawn(process.execPath, ["--import", "tsx", child], { stdio: ["pipe", "pipe", "inherit"] });
  const gone = once(started, "exit");
  let printed = "";
  for await (const chunk of started.stdout.setEncoding("utf8")) {
    printed += chunk;
    if (printed.includes("\n")) break;
  }
  const at = ports.parse(JSON.parse(printed));
  return {
    legacy: `http://127.0.0.1:${at.legacy}`,
    new: `http://127.0.0.1:${at.new}`,
    async stop() {
      started.kill("SIGKILL");
      await gone;
    },
  };
}
