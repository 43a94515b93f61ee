/**
 * Values of bodies. PURE. Of a JSON body by a pointer (RFC 6901): strict JSON in UTF-8 only, with or without a byte order
 * mark; of duplicate members the last counts; a number is its text, so no digit of a long id is lost. Only strings and
 * numbers are values. Of a form by a field's name: urlencoded, or multipart (RFC 7578), where the first field of the name
 * counts and files do not.
 */
import { bytesOf } from "./bucket.ts";

interface JsonBody {
  readonly value: unknown;
  readonly text: string;
}

/** A body as what it could be read as, where that was asked for. */
export interface BodyValues {
  readonly json?: JsonBody | undefined;
  readonly form?: FormBody | undefined;
  /** Its bytes, whatever they are. */
  readonly text?: string | undefined;
}

/** A request's body as far as it could be read. */
export type ReadBody =
  | { readonly kind: "none" }
  /** Too large, in a coding not known here, or not what it says it is. */
  | { readonly kind: "unread" }
  | { readonly kind: "read"; readonly values: BodyValues };

// A byte order mark is dropped (RFC 8259 §8.1).
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @returns the body, or `undefined` when it is not JSON in UTF-8 (nesting too deep to read included) */
export function readJson(content: Buffer): JsonBody | undefined {
  try {
    const text = utf8.decode(content);
    return { value: JSON.parse(text), text };
  } catch {
    return undefined;
  }
}

/** @returns the value at the pointer as a byte string (UTF-8) */
export function jsonValue(body: JsonBody, pointer: string): string | undefined {
  const found = jsonAt(body, pointer);
  if (typeof found === "string") return bytesOf(found);
  return typeof found === "number" ? numberAt(body.text, tokensOf(pointer)) : undefined;
}

/** @returns whatever stands at the pointer; `undefined` where nothing does */
export function jsonAt({ value }: JsonBody, pointer: string): unknown {
  let found = value;
  for (const token of tokensOf(pointer)) found = stepTo(found, token);
  return found;
}

/** @returns whatever stands at the pointer, where each `*` of it stands for every member and element */
export function jsonEach({ value }: JsonBody, pointer: string): Iterable<unknown> {
  return eachBelow(value, tokensOf(pointer), 0);
}

function* eachBelow(found: unknown, tokens: readonly string[], at: number): Iterable<unknown> {
  const token = tokens[at];
  if (token === undefined) yield found;
  else if (token === "*") {
    if (isObject(found)) for (const under of Object.values(found)) yield* eachBelow(under, tokens, at + 1);
  } else {
    const under = stepTo(found, token);
    if (under !== undefined) yield* eachBelow(under, tokens, at + 1);
  }
}

function stepTo(found: unknown, token: string): unknown {
  if (Array.isArray(found)) return /^(?:0|[1-9]\d*)$/.test(token) ? found[Number(token)] : undefined;
  return isObject(found) && Object.hasOwn(found, token) ? found[token] : undefined;
}

function tokensOf(pointer: string): string[] {
  return pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** The text of the number that is there, in text that is JSON: what was parsed has lost digits. */
function numberAt(text: string, tokens: readonly string[]): string | undefined {
  let at = skipSpace(text, 0);
  for (const token of tokens) {
    const isArray = text[at] === "[";
    let found: number | undefined;
    let index = 0;
    for (at = skipSpace(text, at + 1); text[at] !== "]" && text[at] !== "}"; index++) {
      let name = `${index}`;
      if (!isArray) {
        const end = skipString(text, at);
        name = String(JSON.parse(text.slice(at, end)));
        at = skipSpace(text, skipSpace(text, end) + 1);
      }
      // Of duplicate members the last counts.
      if (name === token) found = at;
      at = skipSpace(text, skipValue(text, at));
      if (text[at] === ",") at = skipSpace(text, at + 1);
    }
    if (found === undefined) return undefined;
    at = found;
  }
  return text.slice(at, skipValue(text, at));
}

export function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
  return at;
}

/** @param from at its opening quote @returns past the closing one; 0 where there is none */
export function skipString(text: string, from: number): number {
  let end = from;
  let backslashes = 0;
  do {
    end = text.indexOf('"', end + 1);
    backslashes = 0;
    while (text[end - 1 - backslashes] === "\\") backslashes++;
  } while (backslashes % 2 === 1);
  return end + 1;
}

const structure = /["[\]{}]/g;
const afterScalar = /[\s,\]}]|$/g;

/** @returns past the value that begins there */
function skipValue(text: string, from: number): number {
  if (text[from] === '"') return skipString(text, from);
  if (text[from] !== "{" && text[from] !== "[") {
    afterScalar.lastIndex = from;
    return afterScalar.exec(text)?.index ?? text.length;
  }
  let depth = 0;
  let at = from;
  do {
    structure.lastIndex = at;
    at = structure.exec(text)?.index ?? text.length;
    const character = text[at];
    if (character === '"') at = skipString(text, at);
    else {
      depth += character === "{" || character === "[" ? 1 : -1;
      at += 1;
    }
  } while (depth > 0);
  return at;
}

/** A form: byte strings. */
export type FormBody =
  | { readonly kind: "urlencoded"; readonly text: string }
  | { readonly kind: "multipart"; readonly fields: ReadonlyMap<string, string> };

/**
 * @param text the body's bytes
 * @param type the Content-Type field
 * @returns `undefined` when the body is no form by its type, or not whole by its boundary
 */
export function readForm(text: string, type: string): FormBody | undefined {
  if (/^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) {
    return { kind: "urlencoded", text };
  }
  const [, quoted, token] =
    /^\s*multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type) ?? [];
  const boundary = quoted ?? token;
  return boundary === undefined ? undefined : readMultipart(text, boundary);
}

function readMultipart(text: string, boundary: string): FormBody | undefined {
  const [, ...parts] = `\r\n${text}`.split(`\r\n--${boundary}`);
  if (!parts.at(-1)?.startsWith("--")) return undefined;
  const fields = new Map<string, string>();
  for (const part of parts.slice(0, -1)) {
    const end = part.indexOf("\r\n\r\n");
    const disposition = /^content-disposition:[ \t]*form-data;(.*)$/im.exec(
      part.slice(0, Math.max(0, end)),
    )?.[1];
    if (disposition === undefined || /;\s*filename\*?=/i.test(`;${disposition}`)) continue;
    const [, quoted, token] = /;\s*name=(?:"([^"]*)"|([^\s;"]+))/i.exec(`;${disposition}`) ?? [];
    const name = quoted?.replace(/%22/g, '"') ?? token;
    if (name !== undefined && !fields.has(name)) fields.set(name, part.slice(end + 4));
  }
  return { kind: "multipart", fields };
}

/** @returns the field's value, decoded where the form is encoded */
export function formField(form: FormBody, name: string): string | undefined {
  return form.kind === "urlencoded" ? formValue(form.text, name) : form.fields.get(name);
}

/** @returns the bytes that are spelled; what is not encoded soundly stands for itself */
export function percentDecoded(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/%[0-9a-f]{2}/gi, (encoded) =>
    String.fromCharCode(Number.parseInt(encoded.slice(1), 16)),
  );
}

/** @returns the first value of that name in application/x-www-form-urlencoded text, decoded as its name is */
export function formValue(text: string, name: string): string | undefined {
  for (let start = 0; start < text.length; ) {
    const ampersand = text.indexOf("&", start);
    const end = ampersand === -1 ? text.length : ampersand;
    const equals = text.indexOf("=", start);
    const middle = equals === -1 || equals > end ? end : equals;
    const given = text.slice(start, middle);
    if (given === name || formDecoded(given) === name) return formDecoded(text.slice(middle + 1, end));
    start = end + 1;
  }
  return undefined;
}

/** @returns every value of that name, decoded */
export function formValues(text: string, name: string): string[] {
  return text.split("&").flatMap((pair) => {
    const equals = pair.indexOf("=");
    if (formDecoded(equals === -1 ? pair : pair.slice(0, equals)) !== name) return [];
    return equals === -1 ? "" : formDecoded(pair.slice(equals + 1));
  });
}

export function formDecoded(text: string): string {
  return percentDecoded(text.includes("+") ? text.replaceAll("+", " ") : text);
}
