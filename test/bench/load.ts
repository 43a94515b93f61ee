/** The load: wrk with 64 keep-alive connections, h2load, or connections that each carry one request, pinned to one core. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { startH2load } from "./secure/h2load.ts";

const scriptOf = (name: string) => fileURLToPath(new URL(`./wrk/${name}.lua`, import.meta.url));
const connectingScript = fileURLToPath(new URL("./secure/connecting.js", import.meta.url));
const sendingScript = fileURLToPath(new URL("./messages/sending.js", import.meta.url));
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

/** What the subjects are asked over. */
export const transports = ["http", "https", "h2", "handshakes", "resumptions"] as const;
export type Transport = (typeof transports)[number];

/** What is asked for, and how many octets are sent for it; for `checkout` a page, an order and its payment in turn;
 * for `messages` 100 octets a message over open WebSockets. */
const asked = {
  small: { path: "/cart/items?page=2", bodyBytes: 0 },
  "64k": { path: "/cart/64k?page=2", bodyBytes: 0 },
  "1m": { path: "/cart/1m?page=2", bodyBytes: 0 },
  up: { path: "/cart/upload?page=2", bodyBytes: 262_144 },
  checkout: { path: "/cart/page", bodyBytes: 0 },
  messages: { path: "/cart/live", bodyBytes: 0 },
} as const;
export type Ask = keyof typeof asked;
export const asks = ["small", "64k", "1m", "up", "checkout", "messages"] as const satisfies readonly Ask[];

export interface LoadOptions {
  readonly port: number;
  readonly core: number;
  readonly over: Transport;
  readonly ask: Ask;
  /** How long it is at least under load, once it is. */
  readonly seconds: number;
  /** Requests, were they answered in no time; without it as many as are answered. */
  readonly perSecond?: number | undefined;
}

/** Loads the port until it is told to stop. */
export function startLoad({ port, core, over, ask, seconds, perSecond = 0 }: LoadOptions): Load {
  const { path, bodyBytes } = asked[ask];
  if (over === "h2") return startH2load({ port, core, seconds, path, bodyBytes });
  if (over === "handshakes" || over === "resumptions") {
    const kind = over === "handshakes" ? "full" : "resumed";
    const connecting = startTold(core, [process.execPath, connectingScript, `${port}`, kind]);
    return { stop: async () => loadResult.parse(await connecting.stop()) };
  }
  if (ask === "messages") {
    const url = `${over === "https" ? "wss" : "ws"}://127.0.0.1:${port}${path}`;
    const sending = startTold(core, [process.execPath, sendingScript, url]);
    return { stop: async () => loadResult.parse(await sending.stop()) };
  }
  const words = [`${perSecond}`, `${connections}`, path, `${bodyBytes}`];
  const script = scriptOf(ask === "checkout" ? "checkout" : "load");
  const wrk = startWrk({ port, core, script, words, scheme: over });
  return { stop: async () => loadResult.parse(await wrk.stop()) };
}

export interface WrkOptions {
  readonly port: number;
  readonly core: number;
  /** A path of Lua that prints one line of JSON when it is done, and its words. */
  readonly script: string;
  readonly words?: readonly string[];
  readonly scheme?: "http" | "https";
}

export interface Wrk {
  /** @returns what its script printed */
  stop(): Promise<unknown>;
}

export function startWrk({ port, core, script, words = [], scheme = "http" }: WrkOptions): Wrk {
  const limits = ["-t1", `-c${connections}`, `-d${mostSeconds}s`, "--timeout", `${timeoutSeconds}s`];
  return startTold(core, ["wrk", ...limits, "-s", script, `${scheme}://127.0.0.1:${port}/`, "--", ...words]);
}

/** A program that prints one line of JSON when it is interrupted. */
function startTold(core: number, command: readonly string[]): Wrk {
  const child = spawn("taskset", ["-c", `${core}`, ...command], { stdio: ["ignore", "pipe", "inherit"] });
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
      if (line === undefined) throw new Error(`${command[0]} did not finish:\n${printed}`);
      return JSON.parse(line);
    },
  };
}
