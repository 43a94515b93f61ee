/**
 * What stands in the files that the configuration names: GraphQL documents that clients name by an id, in Apollo's persisted
 * query manifest or a mapping of ids to texts as Relay's compiler writes it; and the page that is shown in maintenance.
 * They are read when a configuration is, so also when a reload is asked for.
 */
import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import * as z from "zod";
import { codeOf } from "../../base/errors.ts";
import { jsonOf } from "../../base/json.ts";
import { type Finding, wrong } from "../load/problems.ts";
import type { Config, CutoverConfig } from "../schema.ts";

const apollo = z.object({
  format: z.literal("apollo-persisted-query-manifest"),
  operations: z.array(z.object({ id: z.string().min(1), body: z.string().min(1) })),
});
const relay = z.record(z.string().min(1), z.string().min(1));

const largestBytes = 16 * 1024 ** 2;

/** @returns the texts by their ids, or the sentence that says what was expected */
function readManifest(file: string): ReadonlyMap<string, string> | string {
  try {
    if (statSync(file).size > largestBytes) return "expected a file of at most 16 MiB";
    const given = jsonOf(readFileSync(file, "utf8"));
    const listed = apollo.safeParse(given);
    if (listed.success) return new Map(listed.data.operations.map(({ id, body }) => [id, body]));
    const plain = relay.safeParse(given);
    if (plain.success) return new Map(Object.entries(plain.data));
    return "expected Apollo's persisted query manifest, or a JSON object of texts by their ids";
  } catch (error) {
    return `expected a file that can be read: ${codeOf(error) ?? "unknown error"}`;
  }
}

/** Each process keeps it in memory, and each request that meets the maintenance is sent it. */
const largestPageBytes = 256 * 1024;

/** @returns the page's octets, or the sentence that says what was expected */
function readPage(file: string): Buffer | string {
  try {
    const { size } = statSync(file);
    if (size === 0 || size > largestPageBytes) return "expected a file of 1 byte to 256 KiB";
    const page = readFileSync(file);
    return isUtf8(page) ? page : "expected a page in UTF-8";
  } catch (error) {
    return `expected a file that can be read: ${codeOf(error) ?? "unknown error"}`;
  }
}

/** What is wrong with the files that a sound configuration names. */
export function fileFindings({
  graphql: { manifests },
  cutovers,
}: Pick<Config, "graphql" | "cutovers">): Finding[] {
  const ofDocuments = manifests.flatMap((file, index) => {
    const read = readManifest(file);
    return typeof read === "string" ? [wrong(["graphql", "manifests", index], read)] : [];
  });
  const ofPages = Object.entries(cutovers).flatMap(([name, { maintenance }]) => {
    const read = maintenance === undefined ? undefined : readPage(maintenance.page);
    return typeof read === "string" ? [wrong(["cutovers", name, "maintenance", "page"], read)] : [];
  });
  return [...ofDocuments, ...ofPages];
}

/** @returns what a cutover shows in maintenance in place of the proxy's own page @throws Error for a file that is none */
export function maintenancePageOf({ maintenance }: Pick<CutoverConfig, "maintenance">): Buffer | undefined {
  if (maintenance === undefined) return undefined;
  const read = readPage(maintenance.page);
  if (typeof read === "string") throw new Error(`${maintenance.page}: ${read}`);
  return read;
}

/** @returns all texts by their ids @throws Error for a file that is none */
export function documentsListed({ graphql: { manifests } }: Pick<Config, "graphql">): Map<string, string> {
  return new Map(
    manifests.flatMap((file) => {
      const read = readManifest(file);
      if (typeof read === "string") throw new Error(`${file}: ${read}`);
      return [...read];
    }),
  );
}
