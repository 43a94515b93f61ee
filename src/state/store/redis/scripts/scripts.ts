/**
 * The Lua scripts beside this file, ready to be called by their SHA-1. Those that judge or write a cutover get the
 * rule book of state/rules/model.ts written into their source, so that whoever calls them meets the same rules.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { roles, rules } from "../../../rules/model.ts";
import { maxThousandths } from "../../../rules/percent.ts";

export interface Script {
  readonly source: string;
  readonly sha1: string;
}

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
  const prelude = `local rules = cjson.decode('${book}')\n${text("common")}`;
  return {
    read: script(prelude + text("read")),
    apply: script(prelude + text("apply")),
    adopt: script(prelude + text("adopt")),
    restore: script(prelude + text("restore")),
    annotate: script(prelude + text("annotate")),
    acknowledge: script(text("acknowledge")),
    roster: script(text("roster")),
    share: script(text("share")),
    withdraw: script(text("withdraw")),
  };
}

function text(name: string): string {
  return readFileSync(new URL(`./${name}.lua`, import.meta.url), "utf8");
}

function script(source: string): Script {
  return { source, sha1: createHash("sha1").update(source).digest("hex") };
}
