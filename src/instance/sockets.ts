/**
 * Listening sockets: those that a supervisor hands over, waiting for those that an earlier process still has, and ports that
 * are free for those who listen later.
 *
 * A supervisor that keeps the sockets and hands them over (sd_listen_fds(3)) loses no connection in a restart: what
 * comes while one process ends and the next one starts waits in the socket. Descriptors begin at 3; those named
 * `proxy` and `admin` are told by their names, without names the first is the proxy's and the second the admin's.
 */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "../base/errors.ts";

export interface InheritedSockets {
  readonly proxy?: number;
  readonly admin?: number;
}

const firstDescriptor = 3;

/** @param pid of this process: sockets that are meant for another are not taken */
export function inheritedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): InheritedSockets {
  const count = Number(env.LISTEN_FDS ?? "");
  if (!Number.isInteger(count) || count < 1 || env.LISTEN_PID !== String(pid)) return {};
  const names = (env.LISTEN_FDNAMES ?? "").split(":");
  const isNamed = names.includes("proxy") || names.includes("admin");
  const at = (name: string, place: number): number | undefined => {
    const index = isNamed ? names.indexOf(name) : place;
    return index >= 0 && index < count ? firstDescriptor + index : undefined;
  };
  const [proxy, admin] = [at("proxy", 0), at("admin", 1)];
  return { ...(proxy === undefined ? {} : { proxy }), ...(admin === undefined ? {} : { admin }) };
}

const retryMs = 50;
const taken: ReadonlySet<string | undefined> = new Set(["EADDRINUSE", "ELOCKED"]);

/**
 * Tries again while it fails because another process still has what it needs: a port, the embedded store's file.
 *
 * @throws what the last try threw
 */
export async function patiently<T>(waitMs: number, attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!taken.has(codeOf(error)) || performance.now() >= deadline) throw error;
      await sleep(retryMs);
    }
  }
}

/**
 * Below the ports that systems give to connections of their own (32768 on, Linux; 49152 on, elsewhere), any of which may be
 * taken between the moment it is found free and the moment that somebody listens on it.
 */
const lowest = 15_000;
const highest = 32_767;

/** @returns the port, or one that is free now for 0 @throws Error when something listens there, or no port is free */
export async function findPort({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Promise<number> {
  if (port !== 0) return await freeOf(host, port);
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await freeOf(host, randomInt(lowest, highest + 1));
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE" || attempt === 100) throw error;
    }
  }
}

function freeOf(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(port)));
  });
}
