/** Two nginx that answer 200 bytes of JSON, and count what they are asked. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { freePort } from "../support/redis.ts";
import { type Running, startOnCore } from "./processes.ts";
import { untilAnswering } from "./until-answering.ts";

export interface Upstreams {
  readonly ports: Readonly<Record<"legacy" | "new", number>>;
  /** Requests answered so far, by side. */
  counts(): Promise<Readonly<Record<"legacy" | "new", number>>>;
  stop(): Promise<void>;
}

export async function startUpstreams(folder: string, core: number): Promise<Upstreams> {
  const legacy = await startNginx(folder, "legacy", core);
  const next = await startNginx(folder, "new", core);
  return {
    ports: { legacy: legacy.port, new: next.port },
    counts: async () => ({ legacy: await countOf(legacy.port), new: await countOf(next.port) }),
    async stop() {
      await Promise.all([legacy.running.stop(), next.running.stop()]);
    },
  };
}

async function startNginx(
  folder: string,
  side: string,
  core: number,
): Promise<{ readonly port: number; readonly running: Running }> {
  const port = await freePort();
  const start = `{"side":"${side}","items":[`;
  const body = `${start}${'"4006381333931",'.repeat(10)}0]}`.padEnd(200, " ");
  const config = join(folder, `upstream-${side}.conf`);
  await writeFile(
    config,
    nginxConf(
      `upstream-${side}`,
      `access_log off;
      server {
        listen 127.0.0.1:${port} backlog=1024;
        location / { default_type application/json; return 200 '${body}'; }
        location = /count { stub_status; }
      }`,
    ),
  );
  const running = startOnCore(core, ["nginx", "-p", folder, "-c", config], folder);
  await untilAnswering(`http://127.0.0.1:${port}/`);
  return { port, running };
}

/** One worker that never closes a connection of its own accord. */
export function nginxConf(name: string, http: string): string {
  return `
    daemon off; worker_processes 1; pid ${name}.pid; error_log stderr error;
    events { worker_connections 1024; }
    http {
      keepalive_requests 1000000000; keepalive_timeout 300s;
      client_body_temp_path ${name}-body; proxy_temp_path ${name}-proxy; fastcgi_temp_path ${name}-fastcgi;
      uwsgi_temp_path ${name}-uwsgi; scgi_temp_path ${name}-scgi;
      ${http}
    }`;
}

const total = z.coerce.number();

/** The page's third line: connections accepted, handled, requests. */
async function countOf(port: number): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${port}/count`)).text();
  return total.parse(page.split("\n")[2]?.trim().split(" ")[2]);
}
