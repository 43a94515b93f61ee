/** Reading the body of an answer on its way: whether it may be read at all, and as what. */
import type { BodyValues } from "../../../decide/body.ts";
import { fieldValue } from "../../../decide/sources.ts";
import type { Looks } from "../../orders.ts";
import type { UnreadAnswer } from "../../witness.ts";
import { bodyValues } from "../buffered-body.ts";

/** What is known of a body. */
export type Content = { readonly whole: Buffer } | { readonly unread: UnreadAnswer["why"] } | "unwanted";

interface Reading {
  readonly looks: Pick<Looks, "values">;
  /** Most bytes that it may unfold to. */
  readonly limit: number;
}

/** @returns the body as far as it can be read, and why no further; neither where it is not wanted */
export function readAnswer(
  { looks, limit }: Reading,
  fields: readonly string[],
  names: readonly string[],
  content: Content,
): { readonly body?: BodyValues | "empty"; readonly unread?: UnreadAnswer["why"] } {
  if (content === "unwanted") return {};
  if ("unread" in content) return content;
  if (content.whole.length === 0) return { body: "empty" };
  const type = fieldValue(fields, names, "content-type");
  const coding = fieldValue(fields, names, "content-encoding");
  const body = bodyValues(content.whole, type, coding, limit);
  if (typeof body === "string") return { unread: body };
  if (!looks.values || (body.json ?? body.form) !== undefined) return { body };
  return { body, unread: saysValues.test(type ?? "") ? "malformed" : "not_json" };
}

/** What is read as it comes: kept back, it would be late or never whole. */
export function isStream(fields: readonly string[], names: readonly string[]): boolean {
  return /^(?:text\/event-stream|multipart\/(?!form-data)|(?:image|audio|video|font)\/|application\/(?:x-ndjson|json-seq|grpc))/i.test(
    fieldValue(fields, names, "content-type") ?? "",
  );
}

const saysValues = /[/+]json\b|form-data|form-urlencoded/i;

/**
 * Whether the body may be JSON or a form: servers send JSON as text/html or without a type, so its first octets are looked
 * at. A page goes on at once.
 */
export function mayBeRead(fields: readonly string[], names: readonly string[], first: Buffer): boolean {
  const type = fieldValue(fields, names, "content-type") ?? "";
  if (saysValues.test(type) || names.includes("content-encoding")) return true;
  return /^(?:\xef\xbb\xbf)?\s*(?:[{[]|$)/.test(first.toString("latin1", 0, 64));
}
