/** The load: wrk with 64 keep-alive connections, pinned to one core. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const script = fileURLToPath(new URL("./load.lua", import.meta.url));
const connections = 64;
/** Longer than a machine shared with others may stall: to be slow is no failure here. */
const timeoutSeconds = 10;

const loadResult = z.object({
  requests: z.number(),
  seconds: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  /** Connections failed, answers above 399, time-outs. */
  errors: z.number(),
});
export type LoadResult = z.output<typeof loadResult>;

export async function load(options: {
  readonly port: number;
  readonly seconds: number;
  readonly core: number;
}): Promise<LoadResult> {
  const limits = [`-c${connections}`, `-d${options.seconds}s`, "--timeout", `${timeoutSeconds}s`];
  const wrk = ["wrk", "-t1", ...limits, "-s", script];
  const child = spawn("taskset", ["-c", `${options.core}`, ...wrk, `http://127.0.0.1:${options.port}/`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let printed = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) printed += chunk;
  await closed;
  const line = printed.split("\n").find((each) => each.startsWith("{"));
  if (line === undefined) throw new Error(`wrk did not finish:\n${printed}`);
  return loadResult.parse(JSON.parse(line));
}
