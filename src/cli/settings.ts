/** The command line's own settings: a small YAML file of a person, `$XDG_CONFIG_HOME/cutover/cli.yaml`. */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { codeOf } from "../base/errors.ts";
import type { Context } from "./context.ts";
import { exitCodes, fail, type Result, succeed } from "./exit.ts";

/** When a large raise has to be confirmed: where a person can be asked, or by scripts too. */
export const confirmRules = ["terminal", "always"] as const;
export type ConfirmRule = (typeof confirmRules)[number];

interface CliSettings {
  readonly adminUrl?: string | undefined;
  /** Absolute, or from the settings' own folder. */
  readonly tokenFile?: string | undefined;
  readonly confirm?: ConfirmRule | undefined;
}

/** @returns `undefined` where there is no home to look in */
export function settingsPath(env: Context["env"]): string | undefined {
  const { XDG_CONFIG_HOME: base, HOME: home } = env;
  // XDG Base Directory Specification: a relative path is to be ignored.
  if (base?.startsWith("/") === true) return join(base, "cutover", "cli.yaml");
  return home === undefined || home === "" ? undefined : join(home, ".config", "cutover", "cli.yaml");
}

/** A file that is not there says nothing. */
export async function readSettings(env: Context["env"]): Promise<Result<CliSettings>> {
  const path = settingsPath(env);
  if (path === undefined) return succeed({});
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = codeOf(error) ?? "unknown error";
    if (code === "ENOENT" || code === "ENOTDIR") return succeed({});
    return fail(exitCodes.usage, `${path} cannot be read (${code})`);
  }
  const read = settingsIn(await parsed(text));
  if ("wrong" in read) return fail(exitCodes.usage, `${path}: ${read.wrong}`);
  const { tokenFile } = read;
  return succeed(tokenFile === undefined ? read : { ...read, tokenFile: resolve(dirname(path), tokenFile) });
}

/** @returns what the YAML says; `undefined` when it is none. The parser is loaded only where there is such a file. */
async function parsed(text: string): Promise<unknown> {
  const { parse } = await import("./commands/apply/yaml.ts");
  try {
    return parse(text, { logLevel: "error" });
  } catch {
    return undefined;
  }
}

/** @returns the settings; the keys that are wrong, where it is not that. A value is never repeated. */
function settingsIn(value: unknown): CliSettings | { readonly wrong: string } {
  if (value === undefined) return { wrong: "it is not YAML" };
  if (value === null) return {};
  const isMap = typeof value === "object" && !Array.isArray(value);
  const given: ReadonlyMap<string, unknown> = new Map(isMap ? Object.entries(value) : []);
  const textOf = (key: string) => {
    const text = given.get(key);
    return typeof text === "string" && text !== "" ? text : undefined;
  };
  const settings = {
    adminUrl: textOf("adminUrl"),
    tokenFile: textOf("tokenFile"),
    confirm: confirmRules.find((rule) => rule === given.get("confirm")),
  } satisfies CliSettings;
  const known = Object.entries(settings);
  const wrong = [
    ...known.filter(([key, read]) => given.has(key) && read === undefined).map(([key]) => key),
    ...[...given.keys()].filter((key) => !Object.hasOwn(settings, key)),
    ...(isMap ? [] : ["the whole"]),
  ];
  if (wrong.length === 0) return settings;
  return { wrong: `${wrong.join(", ")}: expected adminUrl and tokenFile, each a text, and confirm: always` };
}

/** By `CUTOVER_CONFIRM`, else the file's `confirm`, else `terminal`. */
export async function readConfirmRule(env: Context["env"]): Promise<Result<ConfirmRule>> {
  const told = env.CUTOVER_CONFIRM ?? "";
  const rule = confirmRules.find((each) => each === told);
  if (rule !== undefined) return succeed(rule);
  if (told !== "") {
    return fail(exitCodes.usage, "CUTOVER_CONFIRM is neither always nor terminal", "Unset, it is terminal.");
  }
  const settings = await readSettings(env);
  return settings.ok ? succeed(settings.value.confirm ?? "terminal") : settings;
}
