/**
 * Both upstreams in one nginx, a port each, that answers 200 bytes of JSON, and files of 4 KiB,
 * 64 KiB and 1 MiB; to a checkout with the number of an order that was never there before. One process for both, so that a subject that splits wakes no more of them than one that does not. Requests are counted by the size of each side's access
 * log, a line of two bytes each; of both together nginx itself tells, without delay.
 */
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { freePort } from "../support/free-port.ts";
import { startOnCore } from "./processes.ts";
import { untilAnswering } from "./until-answering.ts";

const bySide = z.object({ legacy: z.int(), new: z.int() });
type BySide = z.output<typeof bySide>;

export interface Upstreams {
  readonly ports: BySide;
  /** Requests answered so far, by the logs, which are a little behind, and messages of WebSockets. */
  counts(): Promise<BySide>;
  /** Requests and messages that have come to both so far. */
  requests(): Promise<number>;
  stop(): Promise<void>;
}

const echoScript = fileURLToPath(new URL("./messages/echo.js", import.meta.url));
const flushMs = 100;

export async function startUpstreams(folder: string, core: number): Promise<Upstreams> {
  const ports = { legacy: await freePort(), new: await freePort() };
  const logOf = (side: string) => join(folder, `upstream-${side}.log`);
  const config = join(folder, "upstreams.conf");
  const status = await freePort();
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), "x".repeat(bytes));
  const echoPort = await freePort();
  const echo = startOnCore(core, [process.execPath, echoScript, `${echoPort}`], folder);
  await untilAnswering(`http://127.0.0.1:${echoPort}/`);
  const messages = async (): Promise<BySide> =>
    bySide.parse(await (await fetch(`http://127.0.0.1:${echoPort}/`)).json());
  const servers = Object.entries(ports).map(([side, port]) =>
    serverOf({ side, port, log: logOf(side), folder, echoPort }),
  );
  servers.push(`server { listen 127.0.0.1:${status}; access_log off; location / { stub_status; } }`);
  await writeFile(config, nginxConf("upstreams", `log_format dot "."; ${servers.join("\n")}`));
  const running = startOnCore(core, ["nginx", "-p", folder, "-c", config], folder);
  for (const port of [...Object.values(ports), status]) await untilAnswering(`http://127.0.0.1:${port}/`);
  let asked = 0;
  const countOf = async (side: string) => (await stat(logOf(side))).size / 2;
  return {
    ports,
    async counts() {
      await sleep(3 * flushMs);
      const sent = await messages();
      return { legacy: sent.legacy + (await countOf("legacy")), new: sent.new + (await countOf("new")) };
    },
    async requests() {
      const text = await (await fetch(`http://127.0.0.1:${status}/`)).text();
      // "accepts handled requests", of which ours are some.
      asked += 1;
      const sent = await messages();
      return sent.legacy + sent.new + Number(/^ \d+ \d+ (\d+)/m.exec(text)?.[1]) - asked;
    },
    async stop() {
      await running.stop();
      await echo.stop();
    },
  };
}

/** Octets of what is asked for by these names. */
const files = { "64k": 65_536, "1m": 1_048_576, page: 4096 } as const;

interface Server {
  readonly side: string;
  readonly port: number;
  readonly log: string;
  readonly folder: string;
  readonly echoPort: number;
}

function serverOf({ side, port, log, folder, echoPort }: Server): string {
  const locations = Object.keys(files).map(
    (name) => `location = /cart/${name} { alias ${join(folder, name)}; }`,
  );
  const order = `{"orderId":"$request_id","shopper":"$cookie_sid","side":"${side}"}`;
  const body = `{"side":"${side}","items":[${'"4006381333931",'.repeat(10)}0]}`.padEnd(200, " ");
  return `
    server {
      listen 127.0.0.1:${port} backlog=1024;
      access_log ${log} dot buffer=8k flush=${flushMs}ms;
      default_type application/json;
      client_max_body_size 2m; ${locations.join(" ")}
      location = /cart/live {
        proxy_pass http://127.0.0.1:${echoPort};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_set_header X-Side ${side};
      }
      # What nginx itself would answer goes out before the body is read: this is answered behind it.
      location = /cart/upload {
        proxy_pass http://127.0.0.1:${echoPort};
        proxy_method GET;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
      }
      location = /checkout { return 201 '${order}'; }
      location / { return 200 '${body}'; }
    }`;
}

/** One worker that never closes a connection of its own accord. */
export function nginxConf(name: string, http: string): string {
  // Its worker would be nobody, who may not enter the folder.
  const user = process.getuid?.() === 0 ? "user root root;" : "";
  return `
    ${user} daemon off; worker_processes 1; pid ${name}.pid; error_log stderr error;
    events { worker_connections 1024; }
    http {
      client_body_buffer_size 1m; keepalive_requests 1000000000; keepalive_timeout 300s;
      client_body_temp_path ${name}-body; proxy_temp_path ${name}-proxy; fastcgi_temp_path ${name}-fastcgi;
      uwsgi_temp_path ${name}-uwsgi; scgi_temp_path ${name}-scgi;
      ${http}
    }`;
}
