/**
 * nginx and HAProxy as Debian ships them, as oracles: the same bytes go through them, and what the upstream sees is
 * compared. Each runs in the foreground on free ports, with its configuration and files in a folder of its own, and is
 * stopped by its pid.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";
import { endsWithTest } from "./processes.ts";

export interface Oracle {
  /** One for each upstream, in their order. */
  readonly urls: readonly URL[];
  close(): Promise<void>;
}

export const oracleNames = ["nginx", "haproxy"] as const;
export type OracleName = (typeof oracleNames)[number];

const programs = { nginx: "/usr/sbin/nginx", haproxy: "/usr/sbin/haproxy" } as const;

export function isInstalled(name: OracleName): boolean {
  return spawnSync(programs[name], ["-v"], { stdio: "ignore" }).status === 0;
}

interface Way {
  readonly port: number;
  readonly upstream: URL;
}

/** @param upstreams each gets a port of its own that leads to it */
export async function startOracle(name: OracleName, upstreams: readonly URL[]): Promise<Oracle> {
  return startProgram(name, upstreams.length, (folder, ports) => {
    const ways = upstreams.map((upstream, i) => ({ port: ports[i] ?? 0, upstream }));
    return name === "nginx" ? nginxConfig(folder, ways) : haproxyConfig(ways);
  });
}

/**
 * @param listeners how many ports it is to listen on
 * @param configure its whole configuration; `folder` is its own, for as long as it runs
 */
export async function startProgram(
  name: OracleName,
  listeners: number,
  configure: (folder: string, ports: readonly number[]) => string,
): Promise<Oracle> {
  const folder = await mkdtemp(join(tmpdir(), `cutover-${name}-`));
  const ports: number[] = [];
  while (ports.length < listeners) ports.push(await freePort());
  const config = join(folder, `${name}.conf`);
  await writeFile(config, configure(folder, ports));
  const words = name === "nginx" ? ["-p", folder, "-c", config, "-e", "stderr"] : ["-db", "-f", config];
  const child = spawn(programs[name], words, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-2000);
  });
  endsWithTest(child);
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit");
      child.kill(name === "nginx" ? "SIGTERM" : "SIGUSR1");
      const forced = setTimeout(() => child.kill("SIGKILL"), 1000);
      await gone;
      clearTimeout(forced);
    }
    await rm(folder, { recursive: true, force: true });
  };
  for (const port of ports) {
    if (await isReached(child, port)) continue;
    await close();
    throw new Error(`${name} did not start: ${complaint}`);
  }
  return { urls: ports.map((port) => new URL(`http://127.0.0.1:${port}`)), close };
}

async function isReached(child: ChildProcess, port: number): Promise<boolean> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline && child.exitCode === null) {
    const socket = connect(port, "127.0.0.1");
    const reached = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (reached) return true;
    await sleep(20);
  }
  return false;
}

/** As a plain reverse proxy: nothing cached, nothing held back, no slash merged, HTTP/1.1 to the upstream. */
function nginxConfig(folder: string, ways: readonly Way[]): string {
  const servers = ways.map(
    ({ port, upstream }, i) => `
  upstream u${i} { server ${upstream.host}; keepalive 8; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://u${i}; }
  }`,
  );
  return `
daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr emerg;
events { worker_connections 1024; }
http {
  access_log off; server_tokens off; merge_slashes off; underscores_in_headers on;
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_request_buffering off; proxy_buffering off; client_max_body_size 0; lingering_close off;
${servers.join("\n")}
}`;
}

function haproxyConfig(ways: readonly Way[]): string {
  const parts = ways.map(
    ({ port, upstream }, i) => `
listen l${i}
  bind 127.0.0.1:${port}
  server s ${upstream.host}`,
  );
  return `
global
  maxconn 1000
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
${parts.join("\n")}
`;
}
