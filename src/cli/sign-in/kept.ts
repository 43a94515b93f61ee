/**
 * What `cutover login` keeps: one token for each admin API, in a file beside the settings that its owner alone may read
 * (`$XDG_CONFIG_HOME/cutover/sign-ins.json`, mode 0600). A token is sent to the address it was made for and to no other.
 *
 * Where the issuer gave what renews it, a token is renewed when it is wanted and has ended, by one command at a time.
 */
import { chmodSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { inTurn } from "../../base/file-lock.ts";
import { jsonOf } from "../../base/json.ts";
import { replaceFile } from "../../base/replace-file.ts";
import type { Context } from "../context.ts";
import { settingsPath } from "../settings.ts";
import { type KeptSignIn, keptSignIn } from "./kept-sign-in.ts";

/** By the admin API's address. */
const keptFile = z.record(z.string(), keptSignIn);

/** Before its end, so that it does not end under way. */
const spareMs = 10_000;

function pathIn(env: Context["env"]): string | undefined {
  const settings = settingsPath(env);
  return settings === undefined ? undefined : join(dirname(settings), "sign-ins.json");
}

/** @returns those that are kept; none where the file is not there, or holds anything else */
function readAll(path: string): Readonly<Record<string, KeptSignIn>> {
  try {
    // Somebody may have copied it: whoever else can read it could be its owner to the admin API.
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
    return keptFile.safeParse(jsonOf(readFileSync(path, "utf8"))).data ?? {};
  } catch {
    return {};
  }
}

/**
 * Keeps a sign-in for the addresses of one fleet, or with `undefined` forgets it.
 *
 * @returns the file; `undefined`: there is no home
 * @throws the file system's error
 */
export async function keepSignIn(
  env: Context["env"],
  urls: readonly string[],
  signIn: KeptSignIn | undefined,
): Promise<string | undefined> {
  const path = pathIn(env);
  if (path === undefined) return undefined;
  await inTurn(path, () => write(path, urls, signIn));
  return path;
}

async function write(path: string, urls: readonly string[], signIn: KeptSignIn | undefined): Promise<void> {
  const others = Object.entries(readAll(path)).filter(([url]) => !urls.includes(url));
  const now = signIn === undefined ? [] : urls.map((url) => [url, signIn] as const);
  const all = Object.fromEntries([...others, ...now]);
  await replaceFile(path, `${JSON.stringify(all, undefined, 2)}\n`);
}

/** @returns those of the addresses that have a sign-in */
export function signedInTo(env: Context["env"], urls: readonly string[]): readonly string[] {
  const path = pathIn(env);
  const all = path === undefined ? {} : readAll(path);
  return urls.filter((url) => all[url] !== undefined);
}

/**
 * The token kept for this admin API, renewed where it has ended and can be. Never throws.
 *
 * @returns `undefined`: there is none, or it has ended
 */
export async function keptToken(env: Context["env"], url: string, now: number): Promise<string | undefined> {
  const path = pathIn(env);
  const kept = path === undefined ? undefined : readAll(path)[url];
  if (path === undefined || kept === undefined) return undefined;
  if (kept.expiresAt - spareMs > now) return kept.token;
  if (kept.renewal === undefined) return undefined;
  try {
    return await inTurn(path, async () => {
      // Another command may have renewed it meanwhile: what renews it is good for once.
      const all = readAll(path);
      const { token, expiresAt, renewal } = all[url] ?? kept;
      if (expiresAt - spareMs > now || renewal === undefined) return token;
      const { renew } = await import("./device-flow.ts");
      const renewed = await renew(renewal);
      if (renewed === undefined) return expiresAt > now ? token : undefined;
      const sameSignIn = Object.keys(all).filter(
        (each) => all[each]?.renewal?.refreshToken === renewal.refreshToken,
      );
      await write(path, sameSignIn, renewed);
      return renewed.token;
    });
  } catch {
    return undefined;
  }
}
