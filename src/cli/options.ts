/** Options and arguments that several commands share, and how their text is read. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { historyLimits, longestReason, longestWaitMs, percentOf, percentText } from "../admin/api/rules.ts";
import { parseDuration } from "../base/duration.ts";
import { codeOf } from "../base/errors.ts";
import type { AdminClient } from "./client.ts";
import type { Context } from "./context.ts";
import { exitCodes, fail, type Result, succeed } from "./exit.ts";
import { readSettings } from "./settings.ts";

export interface ApiOptions {
  readonly adminUrl?: string;
  readonly tokenFile?: string;
  readonly plain?: true;
}

export interface JsonOption {
  readonly json?: true;
}

const defaultAdminUrl = "http://127.0.0.1:9900";
const defaultConfigPath = "config/cutover.yaml";

export function withApiOptions(command: Command): Command {
  return command
    .option(
      "--admin-url <URLS>",
      `the admin API, several with commas between (else CUTOVER_ADMIN_URL, else ${defaultAdminUrl})`,
    )
    .option(
      "--token-file <FILE>",
      "a file that holds the token (else CUTOVER_TOKEN, CUTOVER_TOKEN_FILE, or what login has kept)",
    )
    .option("--plain", "no colour, and lines instead of a screen that is redrawn");
}

export function withJson(command: Command, what = "print the API's JSON"): Command {
  return command.option("--json", what);
}

export function withConfig(command: Command): Command {
  return command.option("--config <FILE>", "the configuration", defaultConfigPath);
}

/** Examples under the help text, each with what it does. */
export function examples(command: Command, ...lines: readonly (readonly [string, string])[]): Command {
  const width = Math.max(...lines.map(([typed]) => typed.length));
  const shown = lines.map(([typed, does]) => `  ${typed.padEnd(width)}  ${does}`);
  return command.addHelpText("after", ["", "Examples:", ...shown].join("\n"));
}

/**
 * The client that the options describe, else the environment, else the settings' file; tokens never come from the
 * command line itself.
 *
 * @param warn hears what is allowed but probably not meant, without a line's end
 */
export async function clientFor(
  options: ApiOptions,
  env: Context["env"],
  warn: (text: string) => void,
): Promise<Result<AdminClient>> {
  const settings = await readSettings(env);
  if (!settings.ok) return settings;
  const text =
    options.adminUrl ?? nonEmpty(env.CUTOVER_ADMIN_URL) ?? settings.value.adminUrl ?? defaultAdminUrl;
  const urls = text.split(",").map((each) => readAdminUrl(each.trim()));
  const [url, ...more] = urls.flatMap((each) => each ?? []);
  if (url === undefined || more.length + 1 < urls.length) {
    return fail(
      exitCodes.usage,
      "the admin API's address is not an http:// or https:// URL without credentials and query, nor several with commas between",
      `For example: --admin-url ${defaultAdminUrl}, or CUTOVER_ADMIN_URL.`,
    );
  }
  const token = readToken(options.tokenFile, env, settings.value.tokenFile);
  if (!token.ok) return token;
  const certificate = readCertificate(env);
  if (!certificate.ok) return certificate;
  // What reads the answers is costly to load: only commands that ask the API wait for it.
  const { createClient } = await import("./client.ts");
  const clients = [url, ...more].map(async (each) => {
    const known = token.value ?? (await signedInToken(each, env));
    if (known !== undefined && isReadOnTheWay(each)) {
      warn(
        `warning: the token goes to ${each.host} unencrypted: whoever is on the way can use it (https://, or a port forwarded over ssh)`,
      );
    }
    return createClient({ url: each, token: known, certificate: certificate.value });
  });
  const [one, ...others] = await Promise.all(clients);
  if (one !== undefined && others.length === 0) return succeed(one);
  const { createSeveral } = await import("./several.ts");
  return succeed(createSeveral([...(one === undefined ? [] : [one]), ...others]));
}

/** For an admin API that asks its clients for a certificate. */
function readCertificate({ CUTOVER_CLIENT_CERT: cert = "", CUTOVER_CLIENT_KEY: key = "" }: Context["env"]) {
  if (cert === "" && key === "") return succeed(undefined);
  try {
    return succeed({ cert: readFileSync(cert), key: readFileSync(key) });
  } catch {
    return fail(
      exitCodes.usage,
      "the client certificate or its key cannot be read",
      "CUTOVER_CLIENT_CERT and CUTOVER_CLIENT_KEY are files, PEM, one with the other.",
    );
  }
}

/** Whether what is sent there leaves this machine, and not encrypted. */
function isReadOnTheWay({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** What `cutover login` has kept for this address. */
async function signedInToken(url: URL, env: Context["env"]): Promise<string | undefined> {
  const { keptToken } = await import("./sign-in/kept.ts");
  return keptToken(env, url.href.replace(/\/$/, ""), Date.now());
}

function readAdminUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isHttp = url.protocol === "http:" || url.protocol === "https:";
  return isHttp && `${url.username}${url.password}${url.search}${url.hash}` === "" ? url : undefined;
}

function readToken(
  told: string | undefined,
  env: Context["env"],
  standing: string | undefined,
): Result<string | undefined> {
  let token = nonEmpty(env.CUTOVER_TOKEN);
  const file = told ?? (token === undefined ? (nonEmpty(env.CUTOVER_TOKEN_FILE) ?? standing) : undefined);
  if (file !== undefined) {
    const read = readSecret(file);
    if ("code" in read) {
      return fail(
        exitCodes.usage,
        `the token file cannot be read (${read.code})`,
        "Check --token-file, CUTOVER_TOKEN_FILE, or tokenFile of the settings.",
      );
    }
    token = read.secret;
  }
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    return fail(
      exitCodes.usage,
      "the token is empty or holds characters no token has",
      "It is one line, as printed by: cutover token",
    );
  }
  return succeed(token);
}

/** @returns what the file says but for space around it; why it cannot be read, where it cannot */
export function readSecret(file: string): { readonly secret: string } | { readonly code: string } {
  try {
    return { secret: readFileSync(file, "utf8").trim() };
  } catch (error) {
    return { code: codeOf(error) ?? "unknown error" };
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** A cutover's name as a path segment; whether there is such a cutover, the API knows. */
export function readName(text: string): string {
  if (text !== "" && text !== "." && text !== "..") return text;
  throw new InvalidArgumentError("Expected a cutover's name; cutover status lists them.");
}

/** A cutover's name, and perhaps that of one of its cohorts: `checkout/jakarta`. */
export function readTarget(text: string): string {
  const [name = "", cohort, ...rest] = text.split("/");
  if (rest.length === 0 && cohort !== "")
    return cohort === undefined ? readName(name) : `${readName(name)}/${cohort}`;
  throw new InvalidArgumentError("Expected a cutover's name, or NAME/COHORT; cutover status lists them.");
}

/** A token's name, as the configuration takes it. */
export function readTokenName(text: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError(
    "Expected lower-case letters, digits, - and _, starting with a letter or digit.",
  );
}

export function readVersion(text: string): number {
  return wholeNumber(
    text,
    0,
    Number.MAX_SAFE_INTEGER,
    "Expected a version: a whole number, as in cutover status.",
  );
}

export function readLimit(text: string): number {
  const { most } = historyLimits;
  return wholeNumber(text, 1, most, `Expected a whole number from 1 to ${most}.`);
}

/** How many lines of a list that may be long. */
export function readRows(text: string): number {
  return wholeNumber(text, 1, 100_000, "Expected a whole number from 1 to 100000.");
}

/** A duration back from now, or a time with its zone. @returns milliseconds since the epoch */
export function readSince(now: () => number): (text: string) => number {
  return (text) => {
    const ago = parseDuration(text);
    if (ago !== undefined) return now() - ago;
    const at = timeOf(text);
    if (!Number.isNaN(at)) return at;
    throw new InvalidArgumentError("Expected a duration such as 2h, or a time such as 2025-03-01T12:00:00Z.");
  };
}

/** A duration from now, or a time with its zone. @returns milliseconds since the epoch, still to come */
export function readMoment(now: () => number): (text: string) => number {
  return (text) => {
    const from = parseDuration(text);
    const at = from === undefined ? timeOf(text) : now() + from;
    if (at > now()) return at;
    throw new InvalidArgumentError(
      "Expected a duration such as 2h, or a time to come such as 2025-03-01T14:00:00Z.",
    );
  };
}

/** @returns milliseconds since the epoch; NaN where it is no time with its zone */
function timeOf(text: string): number {
  const isTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text);
  return isTime ? Date.parse(text) : Number.NaN;
}

function wholeNumber(text: string, least: number, most: number, expected: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(expected);
}

/** @returns milliseconds, at most a minute */
export function readWait(text: string): number {
  const ms = text === "0" ? 0 : parseDuration(text);
  if (ms !== undefined && ms <= longestWaitMs) return ms;
  throw new InvalidArgumentError("Expected a duration of at most 60s, such as 500ms or 5s.");
}

/** A reason that is demanded; blank is as good as none, and asked for later. */
export function readReason(text: string): string {
  const reason = text.trim();
  if (reason.length <= longestReason) return reason;
  throw new InvalidArgumentError(`Expected a reason of at most ${longestReason} characters.`);
}

/** A reason that is only welcome: too long a one is shortened, never a cause to stop. */
export function readWelcomeReason(text: string): string {
  return text.trim().slice(0, longestReason).trim();
}

const expectedPercent = "Expected a percent from 0 to 100 with at most 3 decimals";

/**
 * A percent as it is typed: `25`, `25%`, `12.5`, `12.5%`, `0.25%`. Two are refused because they are as likely a mistake
 * of a hundred times: `0.25` without the sign, which may mean a quarter, and `12,5`, whose comma other programs read as
 * a thousands separator.
 *
 * @returns 0–100
 * @throws InvalidArgumentError
 */
export function readPercent(text: string): number {
  const bare = text.replace(/%$/, "");
  if (/^\d+,\d+$/.test(bare)) {
    const pointed = bare.replace(",", ".");
    const hint = percentOf(pointed) === undefined ? "" : `: ${pointed}%`;
    throw new InvalidArgumentError(`${expectedPercent}, written with a point${hint}.`);
  }
  const percent = percentOf(bare);
  if (percent === undefined) throw new InvalidArgumentError(`${expectedPercent}, such as 25 or 12.5.`);
  if (text === bare && percent > 0 && percent < 1) {
    const share = `${percentText(percent * 100)}%`;
    throw new InvalidArgumentError(
      `${expectedPercent}; below 1 with its sign, since ${text} may be either: ${bare}% (of 100) or ${share} (${bare} of 1).`,
    );
  }
  return percent;
}

/** As `readPercent` takes it back. */
export function percentWord(percent: number): string {
  const text = percentText(percent);
  return percent > 0 && percent < 1 ? `${text}%` : text;
}
