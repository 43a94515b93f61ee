/**
 * Where the demonstration keeps what it writes: a folder and keys of its own, whatever store it is pointed at, so that
 * trying it out never changes what another instance goes by. PURE.
 */
import { createHash } from "node:crypto";
import type { Config } from "../config/schema.ts";

/** Of every key that the demonstration writes to Redis. */
const prefix = "cutover-demo";

/**
 * @param store of Redis, or `memory:`; without it, a file of the demonstration's own
 * @param root the folder of all it writes, below the working directory
 */
export function apart(config: Config, store?: string, root = "var/demo"): Config {
  // What one store has must not be told to another: snapshots, owners that wait.
  const folder = store === undefined ? root : `${root}/${nameOf(store)}`;
  return {
    ...config,
    prefix: store === undefined ? config.prefix : prefix,
    store: store ?? `file:${folder}/state.json`,
    snapshot: `${folder}/snapshot.json`,
    spool: `${folder}/spool`,
    audit: `${folder}/audit.ndjson`,
  };
}

function nameOf(store: string): string {
  const place = withoutCredentials(store);
  const [scheme = ""] = place.split(":", 1);
  return `${scheme}-${createHash("sha256").update(place).digest("hex").slice(0, 8)}`;
}

/** As it may be shown. */
export function withoutCredentials(store: string): string {
  return store.replace(/\/\/[^/?#]*@/, "//").replace(/\?.*$/, "");
}
