/** Who a request is from: the nearest on its way here that is not a trusted proxy. */

import type { RequestHead } from "../inbound.ts";
import type { Table } from "../routes.ts";

/**
 * What stands farther from here than the first untrusted address, that one may have made up. A trusted proxy that says
 * of nobody is nobody's client: it speaks for many.
 *
 * @returns an address, or what a proxy writes in place of one; `undefined` where all of the way is trusted
 */
export function clientOf(
  { trusts }: Pick<Table, "trusts">,
  {
    head,
    names,
  }: {
    readonly head: Pick<RequestHead, "fields"> & { readonly peer: Pick<RequestHead["peer"], "address"> };
    readonly names: readonly string[];
  },
): string | undefined {
  const { address } = head.peer;
  if (!trusts(address)) return address;
  const listed = (name: string) =>
    head.fields.filter((_, i) => i % 2 === 1 && names[(i - 1) / 2] === name).join(",");
  const plain = listed("x-forwarded-for");
  const way = plain === "" ? forwardedFor(listed("forwarded")) : plain.split(",");
  for (const node of way.reverse()) {
    const named = nodeOf(node);
    if (named !== "" && !trusts(named)) return named.slice(0, longest);
  }
  return undefined;
}

const longest = 64;

/** RFC 7239 §4. */
function forwardedFor(value: string): string[] {
  return [...value.matchAll(/(?:^|[;,])\s*for\s*=\s*("(?:\\.|[^"\\])*"|[^\s;,]*)/gi)].map(
    ([, node = ""]) => node,
  );
}

/** The address without quotes, brackets and port (RFC 7239 §6). */
function nodeOf(text: string): string {
  const node = text.trim().replaceAll('"', "");
  const bracketed = /^\[([^\]]*)\]/.exec(node)?.[1];
  return bracketed ?? node.replace(/^([^:]*):\d+$/, "$1");
}
