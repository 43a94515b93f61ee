/**
 * The Lua scripts beside this file, ready to be called by their SHA-1. Those that judge or write a cutover get the
 * rule book of state/rules/model.ts written into their source, so that whoever calls them meets the same rules.
 */
import { readFileSync } from "node:fs";
import { readScript, type Script } from "../../../../redis/calls.ts";
import { roles, rules } from "../../../rules/model.ts";
import { maxThousandths } from "../../../rules/percent.ts";

export interface Scripts {
  readonly read: Script;
  readonly apply: Script;
  readonly adopt: Script;
  readonly restore: Script;
  readonly annotate: Script;
  readonly acknowledge: Script;
  readonly roster: Script;
  readonly share: Script;
  readonly withdraw: Script;
}

/** Reads the files; once a store. */
export function loadScripts(): Scripts {
  const book = JSON.stringify({ ...rules, roles, maxThousandths });
  const common = readFileSync(new URL("./common.lua", import.meta.url), "utf8");
  const prelude = `local rules = cjson.decode('${book}')\n${common}`;
  const script = (name: string, before = "") => readScript(new URL(`./${name}.lua`, import.meta.url), before);
  return {
    read: script("read", prelude),
    apply: script("apply", prelude),
    adopt: script("adopt", prelude),
    restore: script("restore", prelude),
    annotate: script("annotate", prelude),
    acknowledge: script("acknowledge"),
    roster: script("roster"),
    share: script("share"),
    withdraw: script("withdraw"),
  };
}
