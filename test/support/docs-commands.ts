/** The commands that documents tell people to type, and a shell to run them in as they stand there. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { checkout } from "./cutover.ts";
import { endsWithTest, pidOf } from "./processes.ts";
import { eventually } from "./until.ts";

export interface Typed {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** One command, a loop with all its lines. */
  readonly text: string;
  /** What its comment says (`# exit 4`), else 0. */
  readonly exit: number;
}

/** The commands of the file's `sh` blocks, in order. @param file below the checkout */
export async function typedIn(file: string): Promise<Typed[]> {
  const found: Typed[] = [];
  let isShell = false;
  let held: string[] = [];
  for (const [index, line] of (await readFile(join(checkout, file), "utf8")).split("\n").entries()) {
    if (line.startsWith("```")) {
      isShell = line === "```sh";
      continue;
    }
    if (!isShell || /^\s*(#|$)/.test(line)) continue;
    held = [...held, line];
    const isOpen = /^(for|while|until) /.test(held[0] ?? "") && !/(^|; )done\b/.test(line);
    if (isOpen) continue;
    const text = held.join("\n");
    const exit = Number(/#.*\bexit (\d)/.exec(text)?.[1] ?? 0);
    found.push({ file, line: index + 1, text, exit });
    held = [];
  }
  return found;
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
}

/** A folder like a fresh checkout, built, in which words are typed. */
export interface Shell {
  readonly folder: string;
  /** Another port for each that the documents name, since theirs may be taken on this machine. */
  readonly ports: Readonly<Record<number, number>>;
  /** The text with this machine's places in it. */
  placed(text: string): string;
  /** Runs it to its end. */
  run(text: string): Promise<Ran>;
  /** Runs it until its output holds that, and goes on. @throws Error when it ends before */
  start(text: string, isUp: (out: string) => boolean | Promise<boolean>): Promise<Background>;
  /** Ends all that was started. */
  close(): Promise<void>;
}

export interface Background {
  readonly pid: number;
  /** Resolves with its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const realRedisCli = execFileSync("sh", ["-c", "command -v redis-cli"], { encoding: "utf8" }).trim();

/** @param ports by the port that the documents name */
export async function createShell(folder: string, ports: Shell["ports"]): Promise<Shell> {
  for (const part of ["bin", "dist", "config", "package.json"]) {
    await cp(join(checkout, part), join(folder, part), { recursive: true });
  }
  const path = join(folder, "path");
  await mkdir(path);
  const programs = {
    cutover: `exec "${process.execPath}" "${join(folder, "bin/cutover.js")}" "$@"`,
    npx: 'exec "$@"',
    // Installed it is, and the tests are what runs this.
    npm: 'case "$1" in start) exec cutover demo;; ci|test) exit 0;; esac; exit 1',
    "redis-cli": `exec "${realRedisCli}" -p ${ports[6379]} "$@"`,
    // No process but the test's own, if it is one that the words mean.
    pkill: `ps -o args= -p "$(cat serve.pid)" | grep -Eq -- "$3" && kill "$1" "$(cat serve.pid)"`,
  };
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(path, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(path, name), 0o755);
  }
  const env: Record<string, string> = {
    PATH: `${path}:${process.env.PATH ?? ""}`,
    HOME: folder,
    CUTOVER_ADMIN_URL: `http://127.0.0.1:${ports[9900]}`,
  };
  const placed = (text: string) =>
    Object.entries(ports).reduce(
      (at, [told, here]) => at.replace(new RegExp(`\\b${told}\\b`, "g"), String(here)),
      text.replace(/\b10\.0\.0\.\d+|rediss:\/\/redis\.internal/g, (place) =>
        place.startsWith("10.") ? "127.0.0.1" : "redis://127.0.0.1",
      ),
    );
  const started = new Set<ChildProcess>();

  function spawned(text: string) {
    const child = spawn("bash", ["-c", text], {
      cwd: folder,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    started.add(child);
    endsWithTest(child);
    let out = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (out += String(chunk)));
    const exit = once(child, "close").then(() => child.exitCode);
    return { child, out: () => out, exit };
  }

  return {
    folder,
    ports,
    placed,
    async run(text) {
      const [, assignments] = /^export ([^#]*)/.exec(text) ?? [];
      for (const [, name = "", value = ""] of (assignments ?? "").matchAll(/(\w+)=(\S*)/g))
        env[name] = placed(value);
      const { exit, out } = spawned(placed(text));
      return { code: await exit, out: out() };
    },
    async start(text, isUp) {
      const { child, exit, out } = spawned(`exec ${placed(text)}`);
      const pid = pidOf(child);
      const holds = async () => {
        if (child.exitCode !== null) throw new Error(`${text} ended: ${out()}`);
        return isUp(out());
      };
      await eventually(`${text} is up`, holds, 20_000);
      return {
        pid,
        async end(signal) {
          // One of the commands may have ended it.
          if (child.exitCode === null && child.signalCode === null) process.kill(-pid, signal);
          return exit;
        },
      };
    },
    async close() {
      for (const child of started) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        process.kill(-pidOf(child), "SIGKILL");
        await once(child, "close");
      }
    },
  };
}

/** Whether somebody listens there. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.end());
  });
}
