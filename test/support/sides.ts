/**
 * Two real upstreams, legacy and new. They say who they are (response field `x-side`, and the body), `?ms=` later when
 * asked to; make an order at POST /checkout, take callbacks at /callbacks/payment, and tell afterwards what reached
 * which of them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { endsWithTest, pidOf } from "./processes.ts";

const program = fileURLToPath(new URL("./sides-child.js", import.meta.url));
const ports = z.object({ legacy: z.int(), new: z.int(), stats: z.int() });
const side = z.enum(["legacy", "new"]);
const stats = z.object({
  /** The side that made each order. */
  orders: z.record(z.string(), side),
  /** How many idempotency keys there were, and those that both sides have seen. */
  keys: z.int(),
  split: z.array(z.string()),
  /** Callbacks that reached the side that made their order; the orders of those that did not. */
  right: z.int(),
  wrong: z.array(z.string()),
  /** Callbacks whose body was not what was sent. */
  corrupt: z.int(),
});
export type SideStats = z.output<typeof stats>;

export interface Sides {
  /** `http://127.0.0.1:PORT` */
  readonly legacy: string;
  readonly new: string;
  readonly pid: number;
  stats(): Promise<SideStats>;
  stop(): Promise<void>;
}

/** In a process of their own, so that they take no turns of the test's event loop; it ends with the test's. */
export async function startSides(): Promise<Sides> {
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  endsWithTest(child);
  const gone = once(child, "exit");
  const [printed] = await once(child.stdout.setEncoding("utf8"), "data");
  const at = ports.parse(JSON.parse(String(printed)));
  return {
    legacy: `http://127.0.0.1:${at.legacy}`,
    new: `http://127.0.0.1:${at.new}`,
    pid: pidOf(child),
    async stats() {
      return stats.parse(await (await fetch(`http://127.0.0.1:${at.stats}/`)).json());
    },
    async stop() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}
