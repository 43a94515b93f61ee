/** The single values the configuration is made of (zod). Their messages say what was expected, never what was found. */
import { isIP } from "node:net";
import * as z from "zod";
import { parseDuration } from "../base/duration.ts";
import { parseRedisUrl } from "../redis/url.ts";
import { block } from "./block.ts";
import { type Condition, parseCondition, parseConditionOf } from "./values/condition.ts";
import { type Expression, parseExpression } from "./values/expression.ts";
import { parseHost } from "./values/hosts.ts";
import { type PathPattern, parsePath } from "./values/path.ts";
import { exceptFrom, parseShopperSource, parseSource, type Source } from "./values/source.ts";
import { parseTemplate, type Template } from "./values/template.ts";
import {
  type NamedTest,
  type OperationTest,
  type PointerTest,
  parseNamedTest,
  parseOperationTest,
  parsePointerTest,
} from "./values/when.ts";

/** Text that `parse` makes something of, or refuses with the sentence that says what was expected. */
function read<T>(parse: (text: string) => T | { readonly expected: string }) {
  return z.string().transform((text, context): T => {
    const result = parse(text);
    if (!isRefusal(result)) return result;
    context.addIssue({ code: "custom", message: result.expected });
    return z.NEVER;
  });
}

function isRefusal(result: unknown): result is { readonly expected: string } {
  return typeof result === "object" && result !== null && "expected" in result;
}

function expected(sentence: string): { readonly expected: string } {
  return { expected: sentence };
}

/** A name of a cutover, route, upstream or token: it stands in metrics, keys and URLs. */
export const name = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    "expected at most 63 lower-case letters, digits, - and _, starting with a letter or digit",
  );

const dayMs = 86_400_000;

function durationUpTo(limitMs: number, limitText: string, least: "above 0" | "0" = "above 0") {
  return read((text) => {
    const milliseconds = parseDuration(text);
    if (milliseconds === undefined)
      return expected("expected a duration such as 250ms, 5s, 10m, 24h or 180d");
    if (milliseconds === 0 && least !== "0") return expected("expected a duration longer than 0");
    return milliseconds > limitMs ? expected(`expected a duration of at most ${limitText}`) : milliseconds;
  });
}

/** How long something is kept; in ms. */
export const lifetime = durationUpTo(3650 * dayMs, "3650d");
/** How long something is waited for; in ms. A timer of Node takes at most 24.8 days. */
export const wait = durationUpTo(dayMs, "24h");
/** A wait that may be none at all; in ms. */
export const pause = durationUpTo(dayMs, "24h", "0");

const sizeUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
const sizeForm = /^(\d{1,9})(B|KiB|MiB|GiB)$/;

function isSizeUnit(text: string | undefined): text is keyof typeof sizeUnits {
  return text !== undefined && Object.hasOwn(sizeUnits, text);
}

/**
 * Reads `512B`, `64KiB`, `10MiB`, `2GiB`.
 *
 * @returns bytes; `undefined` when the text is no size
 */
export function parseSize(text: string): number | undefined {
  const [, count, unit] = sizeForm.exec(text) ?? [];
  if (count === undefined || !isSizeUnit(unit)) return undefined;
  return Number(count) * sizeUnits[unit];
}

const maxSize = 1024 ** 4;

/** In bytes. */
export const size = read((text) => {
  const bytes = parseSize(text);
  if (bytes === undefined) return expected("expected a size such as 512B, 64KiB, 10MiB or 2GiB");
  if (bytes === 0) return expected("expected a size larger than 0");
  return bytes > maxSize ? expected("expected a size of at most 1024GiB") : bytes;
});

/** In bytes, within both bounds. */
export const sizeWithin = (least: string, most: string) =>
  size.refine((bytes) => bytes >= (parseSize(least) ?? 0) && bytes <= (parseSize(most) ?? 0), {
    error: `expected a size from ${least} to ${most}`,
  });

/** What is asked for of an upstream: path and query, as they go over the wire. */
export const target = z
  .string()
  .regex(/^\/[!-"$-~]*$/, "expected a path such as /health, in ASCII, with no space or fragment");

/** A page of the shop's own: what begins with two slashes is another host. */
export const shopPage = target.refine((text) => !/^\/[/\\]/.test(text), {
  error: "expected a path of the shop such as /cart",
});

export const source = read((text): Source | { readonly expected: string } => {
  const parsed = parseSource(text);
  return typeof parsed === "string" ? expected(parsed) : parsed;
});

const named = read((text): Source | { readonly expected: string } => {
  const parsed = parseShopperSource(text);
  return typeof parsed === "string" ? expected(parsed) : parsed;
});

const exception = z
  .string({ error: "expected a text: in quotes where it is null, true, false or a number" })
  .min(1);

/** A source, or one whose values are none where they are these: what clients send that know nobody. */
export const shopperSource = z
  .union([named, block({ source, except: z.array(exception).min(1) })], {
    error: "expected a source, or a mapping of source and except",
  })
  .transform((given) => ("source" in given ? exceptFrom(given.source, given.except) : given));

export const condition = read((text): Condition | { readonly expected: string } => {
  const parsed = parseCondition(text);
  return typeof parsed === "string" ? expected(parsed) : parsed;
});

const conditionOf = (kind: "header" | "json") =>
  read((text): Condition | { readonly expected: string } => {
    const parsed = parseConditionOf(kind, text);
    return typeof parsed === "string" ? expected(parsed) : parsed;
  });
/** Conditions whose kind is the key that they stand under. */
export const pointerCondition = conditionOf("json");
export const headerCondition = conditionOf("header");

/** What is asked of requests that share a path. */
export const namedTest = (kind: "header" | "query" | "form") =>
  read((text): NamedTest | { readonly expected: string } => {
    const parsed = parseNamedTest(kind, text);
    return typeof parsed === "string" ? expected(parsed) : parsed;
  });
export const pointerTest = read((text): PointerTest | { readonly expected: string } => {
  const parsed = parsePointerTest(text);
  return typeof parsed === "string" ? expected(parsed) : parsed;
});
export const operationTest = read((text): OperationTest | { readonly expected: string } => {
  const parsed = parseOperationTest(text);
  return typeof parsed === "string" ? expected(parsed) : parsed;
});

/** A status or a class of them. */
export const status = z.union([z.int().min(200).max(599), z.enum(["2xx", "3xx", "4xx", "5xx"])], {
  error: "expected a status such as 409, or a class such as 4xx",
});

export const path = read((text): PathPattern | { readonly expected: string } => {
  const parsed = parsePath(text);
  return typeof parsed === "string" ? expected(parsed) : parsed;
});

/** A host that requests are for, or all below one; in its one spelling. */
export const host = read(parseHost);

/** Names of hosts that stand as keys; as they are written. */
export const hostKey = z.string().superRefine((text, context) => {
  const parsed = parseHost(text);
  if (typeof parsed !== "string") context.addIssue({ code: "custom", message: parsed.expected });
});

/** The value of a field that is sent along. */
export const template = read((text): Template | { readonly expected: string } => {
  const parsed = parseTemplate(text);
  return typeof parsed === "string" ? expected(parsed) : parsed;
});

/** An expression that is searched for in a key as it was received. */
export const expression = read((text): Expression | { readonly expected: string } => {
  const parsed = parseExpression(text);
  return typeof parsed === "string" ? expected(parsed) : parsed;
});

/** A part of a whole, between 0 and 1, as it is written in percent. */
export const part = read((text) => {
  const [, percent] = /^(\d{1,2}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
  const share = Number(percent ?? 0) / 100;
  return share > 0 ? share : expected("expected a percent above 0 and below 100, such as 1% or 0.5%");
});

/** Percentage points. */
export const points = z
  .number()
  .refine((value) => value >= 0 && value <= 100 && /^\d+(?:\.\d{1,3})?$/.test(String(value)), {
    error: "expected a number from 0 to 100 with at most 3 decimals",
  });

export const cidr = z.string().refine(
  (text) => {
    const [address = "", bits, ...rest] = text.split("/");
    const family = isIP(address);
    if (family === 0 || rest.length > 0) return false;
    return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  },
  { error: "expected an address or a CIDR such as 10.0.0.0/8" },
);

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected the SHA-256 as 64 lower-case hex digits");

export const method = z.string().regex(/^[A-Z][A-Z-]{0,31}$/, "expected a method in capitals such as POST");

export const cookieName = z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, "expected a cookie name");

/** What a stranger cannot find by trying. */
export const longSecret = z.string().min(32, "expected a secret of at least 32 characters");

export const cookiePattern = z
  .string()
  .regex(
    /^(?:[!#$%&'+\-.^_`|~0-9A-Za-z]+\*?|\*)$/,
    "expected a cookie's name, or how it begins, with * behind that",
  );

/** As it is written. */
export const fieldName = z.string().regex(/^[A-Za-z0-9-]+$/, "expected a header name");

export const headerName = fieldName.toLowerCase();

/** A path; what is in the file is checked in certificates.ts. */
export const file = z.string().min(1, "expected a file's path");

export const hostName = z
  .string()
  .regex(/^(?=.{1,253}$)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/, "expected a host name");

/** What an upstream is asked for: as the shopper asks, by its own address, or by this name, perhaps with a port. */
export const upstreamHost = z
  .string()
  .regex(
    /^(?=.{1,260}$)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?::\d{1,5})?$/,
    "expected preserve, upstream, or a host name, perhaps with a port",
  );

const originForm = "expected http://HOST:PORT or https://HOST:PORT without user, path, query or fragment";

export const origin = read((text) => {
  if (!URL.canParse(text)) return expected(originForm);
  const url = new URL(text);
  const bare = url.pathname === "/" && !/[?#@]/.test(text);
  return /^https?:$/.test(url.protocol) && bare ? text : expected(originForm);
});

const issuerForm = "expected https://HOST/PATH without user, query or fragment";

/** That http is for loopback alone is checked in checks.ts. */
export const issuer = read((text) => {
  if (!URL.canParse(text) || /[?#@]/.test(text)) return expected(issuerForm);
  return /^https?:$/.test(new URL(text).protocol) ? text : expected(issuerForm);
});

const storeForm =
  "expected memory:, file:PATH, redis://HOST:PORT, rediss://HOST:PORT, redis-sentinel://HOST:PORT,…/MASTER or redis-cluster://HOST:PORT,…";

export const store = read((text) => {
  const known = text === "memory:" || /^file:./s.test(text) || parseRedisUrl(text) !== undefined;
  return known ? text : expected(storeForm);
});

/** `off` is text in YAML 1.2 and `false` in YAML 1.1. */
export const pathOrOff = (what: string) =>
  z
    .union([z.string().min(1), z.literal(false)], { error: `expected a ${what}'s path, or off` })
    .transform((path) => (path === false || path === "off" ? undefined : path));

/** `off` as above. */
export const viaOrOff = z
  .union([z.enum(["both", "response", "off"]), z.literal(false)], {
    error: "expected both or response or off",
  })
  .transform((via) => (via === false ? "off" : via));
