/** What can be found out about a configuration's surroundings from this host: its stores and its upstreams. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { systemClock } from "../base/clock.ts";
import { codeOf, StoreUnavailable } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import { openStore } from "../state/store/open.ts";
import type { Store } from "../state/store/port.ts";
import { ownStores, recordsPrefix } from "./owner-stores.ts";

interface Finding {
  /** What was looked at: `store`, `owners of checkout`, `upstream marketplace`. */
  readonly check: string;
  readonly verdict: "ok" | "warn" | "fail";
  readonly said: string;
  readonly fix?: string;
}

const slowStoreMs = 100;
const skewMs = 1000;
const connectMs = 2000;

/** No cutover can have this name: a change of it changes nothing, and shows what the store permits. */
const scratch = "~doctor";
const announcedMs = 1000;

/** Makes one change of a cutover that does not exist, under the prefix, to see that it may. */
export async function examine(config: Config): Promise<readonly Finding[]> {
  const upstreams = Object.entries(config.upstreams).map(([name, { url }]) => upstream(name, url));
  const files = Object.entries({ snapshot: config.snapshot, spool: config.spool, audit: config.audit });
  const folders = files.map(([check, path]) => (path === undefined ? [] : fileFinding(check, path)));
  const names = Object.keys(config.cutovers);
  return [
    ...(await storeFindings({ ...config, check: "store", url: config.store, names })),
    ...(await ownersFindings(config)),
    ...(await Promise.all(folders.flat())),
    ...(await Promise.all(upstreams)),
  ];
}

/** Of the stores that owners have of their own, each once. */
async function ownersFindings(config: Config): Promise<Finding[]> {
  const urls = new Map<string, { url: string; names: string[] }>();
  for (const [name, { place, url }] of ownStores(config)) {
    const { names } = urls.get(place) ?? { names: [] };
    urls.set(place, { url, names: [...names, name] });
  }
  const prefix = recordsPrefix(config.prefix);
  const all = [...urls.values()].map(({ url, names }) =>
    storeFindings({ check: `owners of ${names.join(", ")}`, url, prefix, names }),
  );
  return (await Promise.all(all)).flat();
}

interface Looked {
  readonly check: string;
  readonly url: string;
  readonly prefix: string;
  readonly names: readonly string[];
}

async function storeFindings({ check, url, prefix, names }: Looked): Promise<Finding[]> {
  if (url === "memory:") {
    const said = "in memory: a restart forgets what is in it";
    return [{ check, verdict: "warn", said, fix: "Use file:PATH on one host, redis:// on several." }];
  }
  if (url.startsWith("file:")) return [await fileFinding(check, url.slice("file:".length))];
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };
  const { store } = await openStore(url, { prefix, clock: systemClock, log: quiet });
  const timed = async (work: () => Promise<unknown>) => {
    const begunMs = performance.now();
    await work();
    return Math.round((performance.now() - begunMs) * 10) / 10;
  };
  const of = (what: string) => `${what} of the ${check}`;
  try {
    // The first call waits for the connection.
    await store.roster();
    const ms = await timed(() => store.load(names, new Map()));
    const askedMs = Date.now();
    const { nowMs } = await store.roster();
    const apart = Math.round(nowMs - (askedMs + Date.now()) / 2);
    const heard = hears(store);
    await change(store);
    return [
      ms > slowStoreMs
        ? {
            check,
            verdict: "warn",
            said: `slow: ${ms} ms a read`,
            fix: "Bring it nearer, or see its slow log.",
          }
        : { check, verdict: "ok", said: `read in ${ms} ms, and changes may be made` },
      await announcements(of("announcements"), heard),
      clockFinding(of("clock"), apart),
    ];
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    const fix = "Is it up, its address right, and may this user do what docs/redis.md lists?";
    return [{ check, verdict: "fail", said: error.message, fix }];
  } finally {
    await store.close();
  }
}

async function change(store: Store): Promise<void> {
  const { states } = await store.load([scratch], new Map());
  const action = states.get(scratch)?.state === "held" ? "resume" : "hold";
  const actor = { name: "doctor", role: "operator" } as const;
  await store.apply({ name: scratch, change: { action }, actor, reason: "", origin: { via: "direct" } });
}

/** Whether a change that is made now is announced here. */
function hears(store: Store): Promise<boolean> {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), announcedMs);
    store.subscribe(() => {
      clearTimeout(late);
      resolve(true);
    });
  });
}

async function announcements(check: string, heard: Promise<boolean>): Promise<Finding> {
  if (await heard) return { check, verdict: "ok", said: "changes are announced" };
  const said = `a change was not announced within ${announcedMs} ms: instances find it by asking, a second later`;
  return {
    check,
    verdict: "warn",
    said,
    fix: "May this user subscribe, and to the channel docs/redis.md names?",
  };
}

function clockFinding(check: string, apartMs: number): Finding {
  const said = `${Math.abs(apartMs)} ms ${apartMs < 0 ? "behind" : "before"} this host's`;
  return Math.abs(apartMs) <= skewMs
    ? { check, verdict: "ok", said }
    : { check, verdict: "warn", said, fix: "Let both be set by NTP." };
}

async function fileFinding(check: string, path: string): Promise<Finding> {
  for (const place of [path, dirname(path)]) {
    try {
      await access(place, constants.R_OK | constants.W_OK);
      return { check, verdict: "ok", said: `${place} may be written` };
    } catch (error) {
      const code = codeOf(error) ?? "unknown error";
      if (code === "ENOENT" && place === path) continue;
      if (code === "ENOENT") return { check, verdict: "ok", said: `${place} will be made` };
      const fix = "Give the user that serves the right to it.";
      return { check, verdict: "fail", said: `${place}: ${code}`, fix };
    }
  }
  return { check, verdict: "ok", said: "will be made" };
}

/** Whether a connection comes about; nothing is sent. */
function upstream(name: string, url: string): Promise<Finding> {
  const { hostname, port, protocol } = new URL(url);
  const check = `upstream ${name}`;
  const begunMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
    });
    const done = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    const failed = (why: string) => {
      const fix = "Is it up, and reached from this host? Its address: upstreams of the configuration.";
      done({ check, verdict: "fail", said: `no connection: ${why}`, fix });
    };
    socket.setTimeout(connectMs, () => failed(`none within ${connectMs} ms`));
    socket.once("error", (error: NodeJS.ErrnoException) => failed(error.code ?? "unknown error"));
    socket.once("connect", () => {
      done({ check, verdict: "ok", said: `connected in ${Math.round(performance.now() - begunMs)} ms` });
    });
  });
}
