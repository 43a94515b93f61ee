/**
 * Changing a list: what is added and removed, as digests, goes part by part over what is there, and is tried again where
 * somebody else was faster. A change that is too large for one write is made in several, the first of which tells the
 * history of all; broken off in between it is made in part, and the same change again makes the rest.
 */
import { createHash } from "node:crypto";
import { StoreUnavailable } from "../base/errors.ts";
import { digestBytes, partOf } from "./digest.ts";
import { changedPart, partCount } from "./members.ts";
import type { ListHead, ListPlace, ListWrite } from "./port.ts";

interface ListChange {
  /** Digests as hex; what is in both is added. */
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly by: string;
  readonly reason: string;
}

/** Bytes of the digests in one write: no server stands still for it. */
const writeBytes = 1024 ** 2;
const mostAttempts = 20;

/** @returns what tells the content of the change from any other */
export function changeId({ add, remove }: Pick<ListChange, "add" | "remove">): string {
  const told = `${[...add].sort().join("")}-${[...remove].sort().join("")}`;
  return createHash("sha256").update(told).digest("hex").slice(0, 16);
}

/** @returns how the list stands then, and whether that differs from before @throws StoreUnavailable */
export async function changeList(
  place: ListPlace,
  name: string,
  change: ListChange,
): Promise<{ readonly head: ListHead; readonly changed: boolean }> {
  const before = await place.head(name);
  const eachPart = Math.ceil((before.members + change.add.length) / partCount) * digestBytes;
  const atOnce = Math.max(1, Math.min(partCount, Math.floor(writeBytes / Math.max(1, eachPart))));
  const [adding, removing] = [byPart(change.add), byPart(change.remove)];
  const touched = [...new Set([...adding.keys(), ...removing.keys()])].sort((one, other) => one - other);
  let head = before;
  let changed = false;
  for (let at = 0; at < touched.length; at += atOnce) {
    const next = await writeParts(place, name, {
      parts: touched.slice(at, at + atOnce),
      adding,
      removing,
      by: change.by,
      reason: change.reason,
      ...(changed ? {} : { entry: { added: change.add.length, removed: change.remove.length } }),
    });
    if (next === undefined) continue;
    head = next;
    changed = true;
  }
  return { head, changed };
}

interface Writing extends Pick<ListWrite, "by" | "reason" | "entry"> {
  readonly parts: readonly number[];
  readonly adding: ReadonlyMap<number, readonly string[]>;
  readonly removing: ReadonlyMap<number, readonly string[]>;
}

/** @returns `undefined` when they stand so already */
async function writeParts(
  place: ListPlace,
  name: string,
  { parts, adding, removing, ...how }: Writing,
): Promise<ListHead | undefined> {
  for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
    const found = await place.some(name, parts);
    let more = 0;
    const written: ListWrite["parts"][number][] = [];
    for (const [index, at] of parts.entries()) {
      const { stamp: from, bytes } = found[index] ?? { stamp: 0, bytes: Buffer.alloc(0) };
      const next = changedPart(bytes, adding.get(at) ?? [], removing.get(at) ?? []);
      if (next.added + next.removed === 0) continue;
      more += next.added - next.removed;
      written.push({ at, from, bytes: next.bytes });
    }
    if (written.length === 0) return undefined;
    const head = await place.write(name, { parts: written, more, ...how });
    if (head !== "moved") return head;
  }
  throw new StoreUnavailable("the list changes faster than it is read");
}

/** Each digest once, in order, by its part. */
function byPart(digests: readonly string[]): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, string[]>();
  for (const digest of [...new Set(digests)].sort()) {
    const part = found.get(partOf(digest));
    if (part === undefined) found.set(partOf(digest), [digest]);
    else part.push(digest);
  }
  return found;
}
