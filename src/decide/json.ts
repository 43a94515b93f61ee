/**
 * A value of a JSON body by its pointer (RFC 6901). PURE. Strict JSON in UTF-8 only; of duplicate members the
 * last counts; a number is its text, so no digit of a long id is lost. Only strings and numbers are values.
 */
import { type Node, parseTree } from "jsonc-parser";
import { bytesOf } from "./bucket.ts";

export interface JsonBody {
  readonly root: Node;
  readonly text: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
