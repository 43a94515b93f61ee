/** Two real upstreams that make orders and take callbacks, and tell afterwards what reached which of them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const child = fileURLToPath(new URL("./order-sides-child.ts", import.meta.url));
const ports = z.object({ legacy: z.int(), new: z.int(), stats: z.int() });
const side = z.enum(["legacy", "new"]);
const stats = z.object({
  /** The side that made each order. */
  orders: z.record(z.string(), side),
  /** How many idempotency keys there were, and those that both sides have executed. */
  keys: z.int(),
  split: z.array(z.string()),
  /** Callbacks that reached the side that made their order; the orders of those that did not. */
  right: z.int(),
  wrong: z.array(z.string()),
  /** Callbacks whose body was not what was sent. */
  corrupt: z.int(),
});
export type OrderStats = z.output<typeof stats>;

export interface OrderSides {
  /** `http://127.0.0.1:PORT` */
  readonly legacy: string;
  readonly new: string;
  stats(): Promise<OrderStats>;
  stop(): Promise<void>;
}

export async function startOrderSides(): Promise<OrderSides> {
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
    async stats() {
      return stats.parse(await (await fetch(`http://127.0.0.1:${at.stats}/`)).json());
    },
    async stop() {
      started.kill("SIGKILL");
      await gone;
    },
  };
}
