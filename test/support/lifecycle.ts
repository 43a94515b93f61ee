/** `cutover serve` as a process of its own, as built, driven by signals; and a load that counts what fails. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Pool } from "undici";
import { z } from "zod";
import { endsWithTest } from "./ends-with-test.ts";

const bin = fileURLToPath(new URL("../../bin/cutover.js", import.meta.url));
const upstreamChild = fileURLToPath(new URL("./slow-upstream-child.ts", import.meta.url));
const ready = z.object({ instance: z.string(), proxy: z.string(), admin: z.string() });
const line = z.looseObject({ msg: z.string() });
type Line = z.output<typeof line>;

export interface Upstream {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startUpstream(name: string): Promise<Upstream> {
  const child = spawn(process.execPath, ["--import", "tsx", upstreamChild, name], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  const [printed] = await once(child.stdout.setEncoding("utf8"), "data");
  const { port } = z.object({ port: z.int() }).parse(JSON.parse(String(printed)));
  return {
    url: `http://127.0.0.1:${port}`,
    pid: pidOf(child),
    async stop() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

export interface Running {
  readonly pid: number;
  readonly proxy: string;
  readonly admin: string;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code. */
  readonly exit: Promise<number | null>;
  /** The JSON lines of the log so far. */
  lines(): Promise<readonly Line[]>;
  /** Resolves when as many lines as told have this message, which stand in the log in the end. */
  said(message: string, times?: number): Promise<readonly Line[]>;
  rewrite(yaml: string): Promise<void>;
  /** The processes it started. */
  workers(): Promise<readonly number[]>;
}

export interface StartOptions {
  /** A folder of the test's own, for the configuration and the log. */
  readonly folder: string;
  readonly name: string;
  readonly yaml: string;
  /** Whose sockets it is handed. */
  readonly holder?: Holder;
  /** As `--inspect=127.0.0.1:0`. */
  readonly nodeFlags?: readonly string[];
}

export async function startProcess(options: StartOptions): Promise<Running> {
  const { folder, name, yaml, holder, nodeFlags = [] } = options;
  const config = join(folder, `${name}.yaml`);
  const logged = join(folder, `${name}.log`);
  await writeFile(config, yaml);
  await writeFile(logged, "", { flag: "a" });
  const before = (await linesOf(logged)).filter(({ msg }) => msg === "ready").length;
  const words = [process.execPath, ...nodeFlags, bin, "serve", "--config", config];
  const { pid, exit } = await (holder ?? ownProcess).run(words, folder, logged);
  let isOver = false;
  void exit.then(() => {
    isOver = true;
  });

  async function said(message: string, times = 1): Promise<readonly Line[]> {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const found = (await linesOf(logged)).filter(({ msg }) => msg === message);
      if (found.length >= times) return found;
      if (performance.now() > deadline || isOver) {
        throw new Error(`not said: ${message}\n${await readFile(logged, "utf8")}`);
      }
      await sleep(20);
    }
  }
  const told = ready.parse((await said("ready", before + 1)).at(-1));
  return {
    pid,
    proxy: told.proxy,
    admin: told.admin,
    signal(signal) {
      if (!isOver) process.kill(pid, signal);
    },
    exit,
    lines: () => linesOf(logged),
    said,
    rewrite: (text) => writeFile(config, text),
    async workers() {
      const listed = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
      return listed.trim().split(/\s+/).filter(Boolean).map(Number);
    },
  };
}

interface Runner {
  run(
    words: readonly string[],
    folder: string,
    logged: string,
  ): Promise<{ readonly pid: number; readonly exit: Promise<number | null> }>;
}

const ownProcess: Runner = {
  async run([program = "", ...words], folder, logged) {
    const log = await open(logged, "a");
    const child = spawn(program, words, {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", log.fd, log.fd],
    });
    await log.close();
    endsWithTest(child);
    const exit = once(child, "exit").then(([code]) => z.int().nullable().parse(code));
    return { pid: pidOf(child), exit };
  },
};

/** Holds listening sockets as a supervisor does, and hands them to the processes it starts, one after the other. */
export interface Holder extends Runner {
  readonly ports: readonly number[];
  close(): Promise<void>;
}

/** A shell: it inherits the sockets, accepts nothing, and passes them on. @param count of sockets, from descriptor 3 */
export async function startHolder(count: number): Promise<Holder> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => z.object({ port: z.int() }).parse(server.address()).port);
  const descriptors = servers.map((server) => {
    return z.object({ fd: z.int() }).parse(Reflect.get(server, "_handle")).fd;
  });
  const shell = spawn("/bin/sh", ["-s"], {
    env: { PATH: process.env.PATH ?? "", LISTEN_FDS: String(count) },
    stdio: ["pipe", "pipe", "inherit", ...descriptors],
  });
  const { stdin } = shell;
  if (stdin === null || shell.stdout === null) throw new Error("no way to the shell");
  const told = createInterface({ input: shell.stdout });
  // From here on the shell alone has them: this process would accept.
  for (const server of servers) server.close();
  const exits = new Map<number, (code: number) => void>();
  let onPid = (_: number) => {};
  let runs = 0;
  told.on("line", (text) => {
    const [kind, pid, code] = text.split(" ");
    if (kind === "pid") onPid(Number(pid));
    else exits.get(Number(pid))?.(Number(code));
  });
  const endWithTest = () => {
    for (const pid of exits.keys()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  };
  process.once("exit", endWithTest);
  return {
    ports,
    async run(words, folder, logged) {
      const command = words.map((word) => `"${word}"`).join(" ");
      const pid = new Promise<number>((resolve) => {
        onPid = resolve;
      });
      const noted = `${logged}.${++runs}.pid`;
      // LISTEN_PID is the process's own: a shell tells its id and becomes the process.
      stdin.write(
        `( sh -c 'echo $$ > "${noted}"; echo "pid $$"; cd "${folder}"; export LISTEN_PID=$$; exec ${command} >> "${logged}" 2>&1'; ` +
          `code=$?; echo "exit $(cat "${noted}") $code" ) &\n`,
      );
      const started = await pid;
      const exit = new Promise<number>((resolve) => exits.set(started, resolve));
      return { pid: started, exit };
    },
    async close() {
      process.off("exit", endWithTest);
      stdin.end();
      await once(shell, "exit");
    },
  };
}

async function linesOf(logged: string): Promise<readonly Line[]> {
  const text = await readFile(logged, "utf8");
  return text
    .split("\n")
    .flatMap((each) => (each.startsWith("{") && each.endsWith("}") ? [parsed(each)] : []));
}

function parsed(text: string): Line {
  return line.parse(JSON.parse(text));
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("the process did not start");
  return pid;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The series of a scrape: `name{labels}` and value. */
export async function scrape(admin: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${admin}/metrics`);
  const text = await response.text();
  const samples = text.split("\n").filter((each) => each !== "" && !each.startsWith("#"));
  return new Map(
    samples.map((each) => {
      const at = each.lastIndexOf(" ");
      return [each.slice(0, at), Number(each.slice(at + 1))];
    }),
  );
}

/** The sum over all series of the name whose labels hold the text. */
export function sumOf(series: ReadonlyMap<string, number>, name: string, labels = ""): number {
  let sum = 0;
  for (const [key, value] of series) {
    if ((key === name || key.startsWith(`${name}{`)) && key.includes(labels)) sum += value;
  }
  return sum;
}

/** Counters that stand lower in `after` than in `before`, or are gone. */
export function fallen(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...before].flatMap(([key, value]) => {
    const isCounter = /^cutover_[a-z_]*(_total|_bucket|_sum|_count)(\{|$)/.test(key);
    return isCounter && (after.get(key) ?? -1) < value ? [`${key}: ${value}, then ${after.get(key)}`] : [];
  });
}

export interface Sent {
  /** `performance.now()` when it was sent and when it was over. */
  readonly begunAt: number;
  readonly endedAt: number;
  /** Undefined when it was answered with 200. */
  readonly fault: string | undefined;
}

export interface Load {
  readonly sent: readonly Sent[];
  /** How many are under way. */
  underWay(): number;
  /** Sends no more; resolves when all are over. */
  stop(): Promise<void>;
}

const tickMs = 5;

export interface LoadOptions {
  readonly perSecond: number;
  /** Of each request, by its number; `/cart/1` without it. */
  readonly path?: (number: number) => string;
  /** 32 without it. */
  readonly connections?: number;
  /** Whether every request has a connection of its own. */
  readonly fresh?: boolean;
}

/**
 * A steady load over kept connections, unless told otherwise. No more is under way than there are connections: none
 * waits here to be sent, so that who stops has nothing left to send.
 */
export function startLoad(proxy: string, options: LoadOptions): Load {
  const { perSecond, path = () => "/cart/1", connections = 32, fresh = false } = options;
  const pool = new Pool(proxy, { connections, pipelining: 1, headersTimeout: 20_000, bodyTimeout: 20_000 });
  const sent: Sent[] = [];
  const open = new Set<Promise<void>>();
  const begun = performance.now();
  let count = 0;

  async function send(number: number): Promise<void> {
    const begunAt = performance.now();
    let fault: string | undefined;
    try {
      const { statusCode, body } = await pool.request({
        method: "GET",
        path: path(number),
        reset: fresh,
        headers: { "x-shopper-id": `shopper-${number % 1000}` },
      });
      await body.text();
      if (statusCode !== 200) fault = `status ${statusCode}`;
    } catch (error) {
      fault = error instanceof Error ? error.message : "failed";
    }
    sent.push({ begunAt, endedAt: performance.now(), fault });
  }

  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) * perSecond) / 1000);
    const burst = Math.ceil((4 * tickMs * perSecond) / 1000);
    for (count = Math.max(count, due - burst); count < due; count++) {
      if (open.size >= connections) continue;
      const request = send(count).then(() => void open.delete(request));
      open.add(request);
    }
  }, tickMs);
  return {
    sent,
    underWay: () => open.size,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      if (!pool.closed) await pool.close();
    },
  };
}

export function failed(sent: readonly Sent[]): readonly Sent[] {
  return sent.filter(({ fault }) => fault !== undefined);
}

export interface Shape {
  readonly upstreams: { readonly legacy: string; readonly new: string };
  readonly workers?: number;
  readonly store?: string;
  /** Further lines of the top level. */
  readonly more?: readonly string[];
  /** Further cutovers: name and path. */
  readonly others?: Readonly<Record<string, string>>;
}

/** One cutover, `checkout`, on /cart/*, by the field x-shopper-id. */
export function yamlOf({ upstreams, workers = 1, store = "memory:", more = [], others = {} }: Shape): string {
  const cutover = (name: string, path: string) => [
    `  ${name}:`,
    "    legacy: social-shop",
    "    new: marketplace",
    "    shopper: ['header:x-shopper-id']",
    `    routes: [{ name: main, path: '${path}' }]`,
  ];
  return [
    "listeners: { proxy: { port: 0 }, admin: { port: 0 }, wait: 20s }",
    `workers: ${workers}`,
    `store: '${store}'`,
    "snapshot: off",
    "spool: off",
    "decisionHeader: x-cutover-decision",
    ...more,
    `upstreams: { social-shop: { url: '${upstreams.legacy}' }, marketplace: { url: '${upstreams.new}' } }`,
    "default: social-shop",
    "cutovers:",
    ...cutover("checkout", "/cart/*"),
    ...Object.entries(others).flatMap(([name, path]) => cutover(name, path)),
    "",
  ].join("\n");
}
