/** What stands in `$XDG_CONFIG_HOME/cutover/cli.yaml`, for who always talks to the same API. */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { CliSettings, ConfirmRule } from "../config/cli-file.ts";
import type { Context } from "./context.ts";
import { exitCodes, fail, type Result, succeed } from "./exit.ts";

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
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    if (code === "ENOENT" || code === "ENOTDIR") return succeed({});
    return fail(exitCodes.usage, `${path} cannot be read (${code})`);
  }
  // The parser is loaded only for who has such a file.
  const { readCliSettings } = await import("../config/cli-file.ts");
  const read = readCliSettings(text);
  if ("wrong" in read) return fail(exitCodes.usage, `${path}: ${read.wrong}`);
  const { tokenFile } = read;
  return succeed(tokenFile === undefined ? read : { ...read, tokenFile: resolve(dirname(path), tokenFile) });
}

/** By `CUTOVER_CONFIRM`, else the file's `confirm`, else `terminal`. */
export async function readConfirmRule(env: Context["env"]): Promise<Result<ConfirmRule>> {
  const told = env.CUTOVER_CONFIRM ?? "";
  if (told === "always" || told === "terminal") return succeed(told);
  if (told !== "") {
    return fail(exitCodes.usage, "CUTOVER_CONFIRM is neither always nor terminal", "Unset, it is terminal.");
  }
  const settings = await readSettings(env);
  return settings.ok ? succeed(settings.value.confirm ?? "terminal") : settings;
}
