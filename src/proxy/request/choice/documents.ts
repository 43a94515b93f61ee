/**
 * The GraphQL documents that a process knows: those that it has read, by the SHA-256 of their text, and those of a
 * manifest. The hash is the one by which Apollo's clients name a document in place of its text ("persisted queries"), so
 * that whatever was read once is known by it.
 */
import { hash } from "node:crypto";
import { createBoundedMap } from "../../../base/bounded-map.ts";
import { documentsListed } from "../../../config/checks/named-files.ts";
import type { Config, CutoverConfig } from "../../../config/schema.ts";
import type { GraphqlDocument, GraphqlDocuments, TopField } from "../../../decide/when/operations.ts";
import { loadParser, type ParseDocument } from "./parser.ts";

export interface Documents extends GraphqlDocuments {
  /** When documents can be read. */
  readonly loaded: Promise<void>;
}

/** Whether a name or a key is looked for in documents. */
export function readsDocuments({ shopper, owners }: Pick<CutoverConfig, "shopper" | "owners">): boolean {
  return [...shopper, ...owners.keys.flatMap(({ key }) => key)].some(({ kind }) => kind === "graphql");
}

/** Whether a configuration asks for documents at all. */
export function asksForDocuments({ cutovers }: Pick<Config, "cutovers">): boolean {
  return Object.values(cutovers).some(
    (cutover) => readsDocuments(cutover) || cutover.routes.some(({ when }) => when?.graphql !== undefined),
  );
}

/** @returns `undefined` where none is asked for: the parser is not loaded then @throws Error for a manifest that is none */
export function openDocuments(config: Pick<Config, "cutovers" | "graphql">): Documents | undefined {
  return asksForDocuments(config) ? createDocuments(documentsListed(config)) : undefined;
}

/** Documents kept; of one with more fields and arguments nothing is. */
const mostKept = 1000;
const largestKept = 64;
/** Characters of a text that is found by itself, which costs a fifth of what its hash does. */
const longestFound = 4096;

const unreadable = Symbol("unreadable");

/** @param manifest texts by what their clients call them */
export function createDocuments(
  manifest: ReadonlyMap<string, string>,
  load: () => Promise<ParseDocument> = loadParser,
): Documents {
  const kept = createBoundedMap<GraphqlDocument | typeof unreadable>(mostKept);
  const found = createBoundedMap<{ readonly id: string; readonly document: GraphqlDocument }>(mostKept);
  let parse: ParseDocument | undefined;
  const loaded = load().then((parser) => {
    parse = parser;
  });
  // Who waits for it hears of it.
  loaded.catch(() => undefined);

  function read(text: string): GraphqlDocument | undefined {
    const seen = text.length > longestFound ? undefined : found.get(text);
    if (seen === undefined) return readByHash(text);
    // Its hash may be forgotten: a client that was asked for the text shall not be asked again.
    if (kept.get(seen.id) === undefined) kept.set(seen.id, seen.document);
    return seen.document;
  }

  function readByHash(text: string): GraphqlDocument | undefined {
    // Nothing is remembered of what could not be tried.
    if (parse === undefined) return undefined;
    const id = hash("sha256", text);
    const before = kept.get(id) ?? parse(text) ?? unreadable;
    if (before === unreadable) kept.set(id, before);
    else if (sizeOf(before) <= largestKept) {
      kept.set(id, before);
      if (text.length <= longestFound) found.set(text, { id, document: before });
    }
    return before === unreadable ? undefined : before;
  }

  return {
    loaded,
    read,
    known(id) {
      const listed = manifest.get(id);
      if (listed !== undefined) return read(listed);
      const before = kept.get(id);
      return before === unreadable ? undefined : before;
    },
  };
}

/** Fields at the top and what they are given. */
function sizeOf({ operations }: GraphqlDocument): number {
  let size = 0;
  for (const { fields, defaults } of operations) {
    size += 1 + valuesIn(defaults);
    for (const { given } of fields) size += 1 + valuesIn(given);
  }
  return size;
}

function valuesIn(members: TopField["given"]): number {
  let count = members.size;
  for (const value of members.values()) if (value.kind === "object") count += valuesIn(value.members);
  return count;
}
