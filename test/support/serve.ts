/**
 * `cutover serve` as a process of its own, as built, with its log in a file: what it says under load takes no turns
 * of the test's event loop.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { endsWithTest } from "./ends-with-test.ts";
import type { Sides } from "./sides.ts";

const bin = fileURLToPath(new URL("../../bin/cutover.js", import.meta.url));
const ready = z.object({ instance: z.string(), proxy: z.string(), admin: z.string() });

export interface Served {
  readonly id: string;
  /** `http://127.0.0.1:PORT` */
  readonly proxy: string;
  readonly admin: string;
  /** All it has logged. */
  log(): Promise<string>;
  /** SIGSTOP and SIGCONT. */
  freeze(): void;
  thaw(): void;
  /** SIGUSR1: the break-glass rollback. */
  breakGlass(): void;
  /** SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
}

export interface ServeOptions {
  /** A folder of the test's own, for the configuration and the log. */
  readonly folder: string;
  /** Names the files. */
  readonly name: string;
  readonly sides: Pick<Sides, "legacy" | "new">;
  /** As in the configuration; with `snapshot` a path or `off`. */
  readonly store: string;
  readonly snapshot?: string;
  /** As in the configuration. */
  readonly staleAfter?: string;
  readonly onStale?: "hold" | "legacy";
  /** More keys of the two upstreams, as inside `{ }`. */
  readonly upstreams?: { readonly legacy?: string; readonly new?: string };
  readonly fallback?: boolean;
  readonly workers?: number;
  /** As in the configuration. */
  readonly auth?: string;
  /** Lines of YAML: the cutover's shopper, routes and what else they need. */
  readonly cutover?: readonly string[];
}

const carts = ["shopper: ['header:x-shopper-id']", "routes: [{ name: cart, path: '/cart/*' }]"];

/** One cutover, `checkout`, on /cart/* by x-shopper-id unless said otherwise; answers tell how it was decided. */
export async function startServe(options: ServeOptions): Promise<Served> {
  const { folder, name, sides, store, snapshot = "off", staleAfter = "30s", onStale = "hold" } = options;
  const upstream = (side: "legacy" | "new") => {
    return `{ ${[`url: '${sides[side]}'`, options.upstreams?.[side] ?? []].flat().join(", ")} }`;
  };
  const config = join(folder, `${name}.yaml`);
  const logged = join(folder, `${name}.log`);
  const text = [
    "listeners: { proxy: { port: 0 }, admin: { port: 0 } }",
    `store: '${store}'`,
    `snapshot: '${snapshot}'`,
    `staleAfter: ${staleAfter}`,
    `workers: ${options.workers ?? 1}`,
    `auth: ${options.auth ?? "none"}`,
    "decisionHeader: x-cutover-decision",
    `upstreams: { social-shop: ${upstream("legacy")}, marketplace: ${upstream("new")} }`,
    "default: social-shop",
    "cutovers:",
    "  checkout:",
    "    legacy: social-shop",
    "    new: marketplace",
    ...(options.cutover ?? carts).map((line) => `    ${line}`),
    `    onStale: ${onStale}`,
    `    fallback: ${options.fallback ?? false}`,
  ];
  await writeFile(config, text.join("\n"));
  const log = await open(logged, "w");
  const child = spawn(process.execPath, [bin, "serve", "--config", config], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "" },
    stdio: ["ignore", log.fd, log.fd],
  });
  await log.close();
  endsWithTest(child);

  const told = await readyLine(child, logged);
  return {
    id: told.instance,
    proxy: told.proxy,
    admin: told.admin,
    log: () => readFile(logged, "utf8"),
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    breakGlass: () => void child.kill("SIGUSR1"),
    kill: async () => void (await end(child, "SIGKILL")),
    stop: () => end(child, "SIGTERM"),
  };
}

async function end(child: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }
  return child.exitCode;
}

async function readyLine(child: ChildProcess, logged: string): Promise<z.output<typeof ready>> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const text = await readFile(logged, "utf8");
    const line = text.split("\n").find((each) => each.includes('"msg":"ready"') && each.endsWith("}"));
    if (line !== undefined) return ready.parse(JSON.parse(line));
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`serve did not become ready, exit code ${child.exitCode}\n${text}`);
    }
    await sleep(20);
  }
}
