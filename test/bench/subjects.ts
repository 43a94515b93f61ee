/**
 * What is measured. Each does the same job as far as it can: keep-alive on both sides, X-Forwarded-For where it is
 * configured, a quarter of the shoppers to the new side by their cookie, one line of access log to nowhere.
 */
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import type { Ask, Transport } from "./load.ts";
import { type Running, startOnCore } from "./processes.ts";
import { root, startCutover } from "./subjects/cutover.ts";
import { untilAnswering } from "./until-answering.ts";
import { nginxConf, type Upstreams } from "./upstreams.ts";

export interface Started extends Running {
  readonly port: number;
}

export interface Place {
  /** For configurations. */
  readonly folder: string;
  readonly core: number;
  /** For what is not measured. */
  readonly otherCore: number;
  readonly upstreams: Upstreams;
  /** What the Node processes measured are started with. */
  readonly nodeFlags: readonly string[];
  /** The Node they run on. */
  readonly node: string;
  readonly over: Transport;
  /** Paths, PEM: for what is asked over TLS. */
  readonly certificate: { readonly cert: string; readonly key: string };
}

export interface Subject {
  readonly name: string;
  /** The program it needs; absent: nothing beyond this package. */
  readonly program?: string;
  /** Whether it sends a quarter of the shoppers to the new side; all go to legacy else. */
  readonly splits: boolean;
  /** Over what it can be asked; all of them without it. */
  readonly over?: readonly Transport[];
  /** What it is asked for, whatever the others are. */
  readonly ask?: Ask;
  /** Measured only where it is named. */
  readonly isSpecial?: boolean;
  start(place: Place): Promise<Started>;
}

export const subjects: readonly Subject[] = [
  cutoverOf("cutover", root),
  { name: "bare-engine", splits: false, over: ["http"], start: (place) => startBare(place, "bare-engine") },
  {
    name: "bare-http-proxy",
    splits: false,
    over: ["http"],
    start: (place) => startBare(place, "bare-http-proxy"),
  },
  {
    name: "bare-relay",
    splits: false,
    start: (place) => startBare(place, "bare-relay"),
  },
  {
    name: "cutover-http-proxy",
    splits: true,
    start: (place) => startCutover(place, "cutover-http-proxy", { engine: "http-proxy" }),
  },
  { name: "nginx", program: "nginx", splits: true, start: startNginx },
  { name: "haproxy", program: "haproxy", splits: true, start: startHaproxy },
  {
    name: "cutover-1000-routes",
    isSpecial: true,
    splits: true,
    start: (place) => startCutover(place, "cutover-1000-routes", { otherCutovers: 99 }),
  },
  {
    // What a request costs more as real shops have it; its visitors come over HTTP/1.1 alone.
    name: "cutover-real-shop",
    isSpecial: true,
    splits: true,
    over: ["http", "https"],
    start: (place) => startCutover(place, "cutover-real-shop", { isRealShop: true }),
  },
  checkoutOf("cutover-checkout", root),
  {
    // What a checkout costs where nothing is decided, recorded or counted.
    name: "bare-checkout",
    isSpecial: true,
    splits: false,
    over: ["http"],
    ask: "checkout",
    start: (place) => startBare(place, "bare-engine"),
  },
  {
    name: "cutover-2-workers",
    isSpecial: true,
    splits: true,
    start: (place) => startCutover(place, "cutover-2-workers", { workers: 2 }),
  },
];

/** @param checkout in which it is built */
function cutoverOf(name: string, checkout: string): Subject {
  return { name, splits: true, start: (place) => startCutover(place, name, { checkout }) };
}

/** What buyers do, and what is recorded of it: orders learned from answers, on a Redis. */
function checkoutOf(name: string, checkout: string): Subject {
  return {
    name,
    program: "redis-server",
    isSpecial: true,
    splits: true,
    over: ["http", "https"],
    ask: "checkout",
    start: (place) => startCutover(place, name, { checkout, isOnRedis: true }),
  };
}

/** The cutover built in another checkout, asked for what these are. */
export function againstOf(wanted: readonly Subject[], checkout: string): Subject {
  const asksForCheckouts = wanted.every(({ ask }) => ask === "checkout");
  return asksForCheckouts ? checkoutOf("against", checkout) : cutoverOf("against", checkout);
}

/** @param node which runs it, whichever runs the others */
export function byNode(name: string, node: string): Subject {
  return { name, splits: true, start: (place) => startCutover({ ...place, node }, name, {}) };
}

/** Whether the subject's program is there. */
export function isInstalled({ program }: Subject): boolean {
  return program === undefined || spawnSync(program, ["-v"], { stdio: "ignore" }).status === 0;
}

/** As `listen` of nginx and the address of everybody else begin. */
function schemeOf({ over }: Place): "http" | "https" {
  return over === "http" ? "http" : "https";
}

async function startBare(place: Place, name: string): Promise<Started> {
  const { folder, core, upstreams, nodeFlags, node, over, certificate } = place;
  const port = await freePort();
  const script = join(root, `test/bench/subjects/${name}.js`);
  const words = over === "http" ? [] : [over === "h2" ? "h2" : "https", certificate.cert, certificate.key];
  const command = [node, ...nodeFlags, script, `${port}`, `${upstreams.ports.legacy}`, ...words];
  const running = startOnCore(core, command, folder);
  await untilAnswering(`${schemeOf(place)}://127.0.0.1:${port}/`);
  return { ...running, port };
}

async function startNginx(place: Place): Promise<Started> {
  const { folder, core, upstreams, over, certificate } = place;
  const secure =
    over === "http"
      ? ""
      : `ssl_certificate ${certificate.cert}; ssl_certificate_key ${certificate.key};
        ssl_session_cache shared:bench:10m;`;
  const listen = over === "http" ? "" : over === "h2" ? " ssl http2" : " ssl";
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  await writeFile(
    config,
    nginxConf(
      "nginx",
      `access_log /dev/null combined buffer=8k flush=100ms;
      split_clients $cookie_sid$arg_sid $side { 25% new; * legacy; }
      upstream legacy { server 127.0.0.1:${upstreams.ports.legacy}; keepalive 128; keepalive_requests 1000000000; }
      upstream new { server 127.0.0.1:${upstreams.ports.new}; keepalive 128; keepalive_requests 1000000000; }
      server {
        listen 127.0.0.1:${port}${listen} backlog=1024; client_max_body_size 2m; ${secure}
        location / {
          proxy_pass http://$side;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $http_host;
          proxy_set_header X-Forwarded-For $remote_addr;
        }
      }`,
    ),
  );
  const running = startOnCore(core, ["nginx", "-p", folder, "-c", config], folder);
  await untilAnswering(`${schemeOf(place)}://127.0.0.1:${port}/`);
  return { ...running, port };
}

async function startHaproxy(place: Place): Promise<Started> {
  const { folder, core, upstreams, over, certificate } = place;
  const pem = join(folder, "haproxy.pem");
  await writeFile(
    pem,
    (await readFile(certificate.cert, "utf8")) + (await readFile(certificate.key, "utf8")),
  );
  const secure = over === "http" ? "" : ` ssl crt ${pem} alpn h2,http/1.1`;
  const port = await freePort();
  const config = join(folder, "haproxy.cfg");
  await writeFile(
    config,
    `
global
  nbthread 1
  log stdout format raw local0 info
defaults
  mode http
  log global
  option httplog
  option forwardfor
  http-reuse always
  timeout connect 2s
  timeout client 65s
  timeout server 60s
frontend proxy
  bind 127.0.0.1:${port}${secure}
  http-request set-var(txn.sid) urlp(sid)
  http-request set-var(txn.sid) req.cook(sid) if { req.cook(sid) -m found }
  http-request set-var(txn.place) var(txn.sid),xxh32(0),mod(100)
  use_backend new if { var(txn.place) -m int lt 25 }
  default_backend legacy
backend legacy
  server legacy 127.0.0.1:${upstreams.ports.legacy}
backend new
  server new 127.0.0.1:${upstreams.ports.new}
`,
  );
  const running = startOnCore(core, ["haproxy", "-db", "-f", config], folder);
  await untilAnswering(`${schemeOf(place)}://127.0.0.1:${port}/`);
  return { ...running, port };
}
