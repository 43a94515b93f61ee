/** The load: wrk with 64 keep-alive connections, pinned to one core. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const script = fileURLToPath(new URL("./load.lua", import.meta.url));
export const connections = 64;
/** Longer than a machine shared with others may stall: to be slow is no failure here. */
const timeoutSeconds = 10;
/** It is stopped before. */
const mostSeconds = 600;

const loadResult = z.object({
  requests: z.number(),
  seconds: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  /** Connections failed, answers above 399, time-outs. */
  errors: z.number(),
});
export type LoadResult = z.output<typeof loadResult>;

export interface Load {
  /** Has it stop. @returns what it saw from its beginning */
  stop(): Promise<LoadResult>;
}

/**
 * Loads the port until it is told to stop.
 *
 * @param perSecond requests, were they answered in no time; without it as many as are answered
 */
export function startLoad(port: number, core: number, perSecond?: number): Load {
  const words = perSecond === undefined ? [] : [`${perSecond}`, `${connections}`];
  const wrk = startWrk({ port, core, script, words });
  return { stop: async () => loadResult.parse(await wrk.stop()) };
}

export interface WrkOptions {
  readonly port: number;
  readonly core: number;
  /** A path of Lua that prints one line of JSON when it is done, and its words. */
  readonly script: string;
  readonly words?: readonly string[];
}

export interface Wrk {
  /** @returns what its script printed */
  stop(): Promise<unknown>;
}

export function startWrk({ port, core, script, words = [] }: WrkOptions): Wrk {
  const limits = ["-t1", `-c${connections}`, `-d${mostSeconds}s`, "--timeout", `${timeoutSeconds}s`];
  const wrk = ["wrk", ...limits, "-s", script, `http://127.0.0.1:${port}/`, "--", ...words];
  const child = spawn("taskset", ["-c", `${core}`, ...wrk], { stdio: ["ignore", "pipe", "inherit"] });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const closed = once(child, "close");
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  return {
    async stop() {
      child.kill("SIGINT");
      await closed;
      process.off("exit", kill);
      const line = printed.split("\n").find((each) => each.startsWith("{"));
      if (line === undefined) throw new Error(`wrk did not finish:\n${printed}`);
      return JSON.parse(line);
    },
  };
}
