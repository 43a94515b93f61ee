/** What the tests of the store on Redis look at. */
import type { CutoverState } from "../../src/state/rules/model.ts";
import type { Loaded, Store } from "../../src/state/store/port.ts";
import { noneKnown } from "../support/commands.ts";
import type { RedisServer } from "../support/redis.ts";

export const key = "cutover:{checkout}";

/** What an instance is told that knows the last good state, or nothing. */
export function load(store: Store, lastGood?: CutoverState): Promise<Loaded> {
  return store.load(["checkout"], lastGood === undefined ? noneKnown : new Map([["checkout", lastGood]]));
}

/** What `HGETALL` shows a person. */
export async function visible(server: RedisServer): Promise<Record<string, string>> {
  const pairs = await server.cli("HGETALL", key);
  if (!Array.isArray(pairs)) throw new Error("no hash");
  const entries = pairs.flatMap((name, at) => (at % 2 === 0 ? [[String(name), String(pairs[at + 1])]] : []));
  return Object.fromEntries(entries);
}
