/**
 * Lists in files: a folder a list, in it each part's digests in base64 and, written last, `head.json` with the stamps of
 * the parts. The embedded store keeps its lists so, and every instance a copy of those it has loaded, for a start without
 * the store. Every file is replaced whole; a part whose stamp is not the head's is not yet, or no more, in force, and
 * belongs to a change that was broken off: it is written anew with the next change of its part.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import { jsonOf } from "../../base/json.ts";
import { replaceFile, textIn } from "../../base/replace-file.ts";
import { partCount } from "../members.ts";
import { entriesKept, headAfter, type ListPart, type ListPlace, neverChanged, nextStamp } from "../port.ts";
import { createWaiting } from "./memory.ts";

const count = z.int().min(0);
const headFile = z.object({
  format: z.literal(1),
  stamp: count,
  parts: z.array(count).length(partCount),
  head: z.object({
    version: count,
    members: count,
    updatedAt: z.string(),
    updatedBy: z.string(),
    reason: z.string(),
  }),
  history: z.array(
    z.object({
      version: count,
      at: z.string(),
      by: z.string(),
      added: count,
      removed: count,
      reason: z.string(),
    }),
  ),
});
type HeadFile = z.output<typeof headFile>;

const empty: HeadFile = {
  format: 1,
  stamp: 0,
  parts: Array.from({ length: partCount }, () => 0),
  head: neverChanged,
  history: [],
};

/** Reading and writing the files. @throws Error of the file system, or that a file does not read */
function createListFiles(folder: string) {
  const partPath = (name: string, at: number) =>
    join(folder, name, `${at.toString(16).padStart(2, "0")}.b64`);
  const headPath = (name: string) => join(folder, name, "head.json");
  const heads = new Map<string, HeadFile>();
  return {
    async head(name: string): Promise<HeadFile> {
      const known = heads.get(name);
      if (known !== undefined) return known;
      const text = await textIn(headPath(name));
      if (text === undefined) return empty;
      const { data } = headFile.safeParse(jsonOf(text));
      if (data === undefined) throw new Error(`${headPath(name)} does not read as the head of a list`);
      heads.set(name, data);
      return data;
    },
    async part(name: string, at: number): Promise<Buffer> {
      return Buffer.from((await textIn(partPath(name, at))) ?? "", "base64");
    },
    async write(name: string, head: HeadFile, parts: Iterable<readonly [number, Buffer]>): Promise<void> {
      await mkdir(join(folder, name), { recursive: true });
      for (const [at, bytes] of parts) await replaceFile(partPath(name, at), bytes.toString("base64"));
      await replaceFile(headPath(name), `${JSON.stringify(head)}\n`);
      heads.set(name, head);
    },
  };
}

/** The lists of an embedded store; its lock keeps others off the folder. */
export function createFileLists(folder: string, clock: Clock): ListPlace {
  const files = createListFiles(folder);
  const listeners = new Set<() => void>();
  let queue: Promise<unknown> = Promise.resolve();

  /** One after the other: a part and its stamp belong together. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = queue.then(work);
    queue = turn.catch(() => undefined);
    return turn;
  }

  const some = (name: string, wanted: readonly number[]) =>
    inTurn(async () => {
      const { parts } = await files.head(name);
      const each = wanted.map(async (at) => ({ stamp: parts[at] ?? 0, bytes: await files.part(name, at) }));
      return await Promise.all(each);
    });

  return {
    ...createWaiting(clock),
    stamps: (names) => Promise.all(names.map(async (name) => (await files.head(name)).stamp)),
    parts: async (name) => (await files.head(name)).parts,
    part: async (name, at) => (await some(name, [at]))[0] ?? { stamp: 0, bytes: Buffer.alloc(0) },
    some,
    head: async (name) => (await files.head(name)).head,
    history: async (name, limit) => (await files.head(name)).history.slice(0, limit),
    write: (name, write) =>
      inTurn(async () => {
        const { parts: written, by, reason, entry } = write;
        const before = await files.head(name);
        if (written.some(({ at, from }) => before.parts[at] !== from)) return "moved";
        const head = headAfter(before.head, write, clock.now());
        const stamp = nextStamp(before.stamp, clock.now());
        const parts = [...before.parts];
        for (const { at } of written) parts[at] = stamp;
        const said =
          entry === undefined ? [] : [{ version: head.version, at: head.updatedAt, by, reason, ...entry }];
        const history = [...said, ...before.history].slice(0, entriesKept);
        const next = { format: 1, stamp, parts, head, history } as const;
        await files.write(
          name,
          next,
          written.map(({ at, bytes }) => [at, bytes] as const),
        );
        for (const listener of [...listeners]) queueMicrotask(listener);
        return head;
      }),
    subscribe(onHint) {
      const listener = () => onHint();
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** What an instance has loaded of the lists of a store elsewhere. Whoever shares the folder keeps the same. */
export function createListCopies(folder: string) {
  const files = createListFiles(folder);
  return {
    stamps: (names: readonly string[]) =>
      Promise.all(names.map(async (name) => (await files.head(name)).stamp)),
    parts: async (name: string) => (await files.head(name)).parts,
    part: async (name: string, at: number): Promise<ListPart> => ({
      stamp: (await files.head(name)).parts[at] ?? 0,
      bytes: await files.part(name, at),
    }),
    async keep(name: string, stamp: number, changed: ReadonlyMap<number, ListPart>): Promise<void> {
      const before = await files.head(name);
      const parts = [...before.parts];
      for (const [at, part] of changed) parts[at] = part.stamp;
      await files.write(
        name,
        { ...before, stamp, parts },
        [...changed].map(([at, { bytes }]) => [at, bytes] as const),
      );
    },
  };
}
