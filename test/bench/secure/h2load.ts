/** The load by HTTP/2: h2load with 32 connections of 10 streams, pinned to one core. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Load } from "../load.ts";
import { quantile } from "../report.ts";

const connections = 32;
const streams = 10;
/** Beyond what is measured: until the connections are made. */
export const spareSeconds = 3;

interface H2loadOptions {
  readonly port: number;
  readonly core: number;
  readonly seconds: number;
  /** With a query. */
  readonly path: string;
  /** Octets of a POST; 0: a GET. */
  readonly bodyBytes: number;
}

/** h2load cannot be told to end and to say what it saw: it runs so many seconds and a little longer. */
export function startH2load({ port, core, seconds, path, bodyBytes }: H2loadOptions): Load {
  const files = join(tmpdir(), `cutover-h2load-${process.pid}-${port}`);
  const [uris, log, body] = [`${files}.uris`, `${files}.log`, `${files}.body`];
  const base = `https://127.0.0.1:${port}${path}`;
  writeFileSync(body, "x".repeat(bodyBytes));
  writeFileSync(uris, Array.from({ length: 1000 }, (_, i) => `${base}&sid=shopper-${i + 1}\n`).join(""));
  writeFileSync(log, "");
  const words = [
    ...["-t1", `-c${connections}`, `-m${streams}`, `-D${seconds + spareSeconds}`],
    ...["-i", uris, `--log-file=${log}`, ...(bodyBytes > 0 ? ["-d", body] : [])],
    ...["-H", "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"],
    ...["-H", "accept: application/json", "-H", "cookie: theme=dark"],
  ];
  const child = spawn("taskset", ["-c", `${core}`, "h2load", ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const closed = once(child, "close");
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  return {
    async stop() {
      await closed;
      process.off("exit", kill);
      const result = resultOf(printed, readFileSync(log, "utf8"));
      for (const file of [uris, log, body]) rmSync(file, { force: true });
      return result;
    },
  };
}

/** Lines of the log: start, status, microseconds. */
function resultOf(printed: string, log: string) {
  const lines = log.split("\n").filter((line) => line !== "");
  const micros = lines.map((line) => Number(line.split("\t")[2])).sort((a, b) => a - b);
  const failed = lines.filter((line) => !line.includes("\t200\t")).length;
  // What is under way at the end of its time is no failure.
  if (!printed.includes("finished in")) throw new Error(`h2load did not finish:\n${printed}`);
  return {
    requests: lines.length,
    seconds: Number(/finished in ([\d.]+)s/.exec(printed)?.[1] ?? 0),
    p50Ms: quantile(micros, 0.5) / 1000,
    p99Ms: quantile(micros, 0.99) / 1000,
    errors: failed,
  };
}
