/**
 * Values of bodies. PURE. Of a JSON body by a pointer (RFC 6901): strict JSON in UTF-8 only, with or without a byte order
 * mark; of duplicate members the last counts; a number is its text, so no digit of a long id is lost. Only strings and
 * numbers are values. Of a form by a field's name: urlencoded, or multipart (RFC 7578), where the first field of the name
 * counts and files do not.
 */
import { type Node, parseTree } from "jsonc-parser";
import { bytesOf } from "./bucket.ts";

export interface JsonBody {
  readonly root: Node;
  readonly text: string;
}

// A byte order mark is dropped (RFC 8259 §8.1).
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @returns the body, or `undefined` when it is not JSON in UTF-8 (nesting too deep to read included) */
export function readJson(content: Buffer): JsonBody | undefined {
  try {
    const text = utf8.decode(content);
    JSON.parse(text);
    const root = parseTree(text);
    return root === undefined ? undefined : { root, text };
  } catch {
    return undefined;
  }
}

/** @returns the value at the pointer as a byte string (UTF-8) */
export function jsonValue(body: JsonBody, pointer: string): string | undefined {
  let node: Node | undefined = body.root;
  for (const token of pointer.slice(1).split("/")) {
    node = child(node, token.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (node === undefined) return undefined;
  }
  if (node.type === "number") return body.text.slice(node.offset, node.offset + node.length);
  return node.type === "string" && typeof node.value === "string" ? bytesOf(node.value) : undefined;
}

function child(node: Node, token: string): Node | undefined {
  if (node.type === "array")
    return /^(?:0|[1-9]\d*)$/.test(token) ? node.children?.[Number(token)] : undefined;
  if (node.type !== "object") return undefined;
  const member = node.children?.findLast((property) => property.children?.[0]?.value === token);
  return member?.children?.[1];
}

/** A form: byte strings. */
export type FormBody =
  | { readonly kind: "urlencoded"; readonly text: string }
  | { readonly kind: "multipart"; readonly fields: ReadonlyMap<string, string> };

/**
 * @param type the Content-Type field
 * @returns `undefined` when the body is no form by its type, or not whole by its boundary
 */
export function readForm(content: Buffer, type: string): FormBody | undefined {
  if (/^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) {
    return { kind: "urlencoded", text: content.toString("latin1") };
  }
  const [, quoted, token] =
    /^\s*multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type) ?? [];
  const boundary = quoted ?? token;
  return boundary === undefined ? undefined : readMultipart(content.toString("latin1"), boundary);
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

function formDecoded(text: string): string {
  return percentDecoded(text.includes("+") ? text.replaceAll("+", " ") : text);
}
