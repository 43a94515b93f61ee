/**
 * A file of lines that only grows: text is durable (fdatasync) before `append` resolves; what comes together shares one
 * sync. It is readable by its owner only.
 *
 *   whole     what a failed write left behind is cut off before the next; a last line that a crash has cut, before
 *             anybody was told of it, is ended when the file is opened: so every other line is as it was appended
 *   locked    where several processes might write there, one of this host has it at a time (file-lock.ts)
 *   rotated   PATH becomes PATH.TIME, and PATH begins anew; of those that were put aside so many are kept
 */
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "./errors.ts";
import { type FileLock, lockFile } from "./file-lock.ts";
import { replaceFile, syncFolder } from "./replace-file.ts";

export interface AppendFile {
  /** Opens it now instead of with the first writing. @throws as `append`; Error with code ELOCKED: another has it */
  open(): Promise<void>;
  /** @param text with its line feed. @throws the file system's error: nothing of it is in the file */
  append(text: string): Promise<void>;
  /** Empties the file, after all that was appended so far. @throws the file system's error */
  clear(): Promise<void>;
  /**
   * Replaces what is in the file, whole, after all that was appended so far; `text` is asked for when its turn comes.
   *
   * @throws the file system's error: the file is then what it was
   */
  rewrite(text: () => string): Promise<void>;
  /** Puts what was appended so far aside and begins anew. @throws the file system's error */
  rotate(rotation: Rotation): Promise<void>;
  /** Bytes in the file, as far as it was written here. */
  size(): number;
  /** Resolves when all is written and the file is closed. */
  close(): Promise<void>;
  /** Closes and removes the file, if it was ever opened. */
  remove(): Promise<void>;
}

interface Rotation {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** How many files that were put aside are kept. */
  readonly keepFiles: number;
  /**
   * What the new file begins with.
   *
   * @param aside the path of the file that was put aside
   * @param removed the paths of older ones that were removed
   */
  readonly begin: (aside: string, removed: readonly string[]) => string;
}

interface AppendFileOptions {
  /** No other process of this host may have it while it is open here. */
  readonly isLocked?: boolean;
}

interface Batch {
  readonly texts: string[];
  /** Settles with all of it. */
  readonly written: Promise<void>;
}

/** The file as it is on the disk, and what this process has of it. */
interface Place extends AppendFileOptions {
  readonly path: string;
  handle: FileHandle | undefined;
  lock: FileLock | undefined;
  size: number;
  /** A write has failed: behind `size` there may be a part of it. */
  isSpoiled: boolean;
}

const lineFeed = 0x0a;

/** Opens it, and makes its folder, when it is first written to. */
export function createAppendFile(path: string, options: AppendFileOptions = {}): AppendFile {
  const place: Place = { ...options, path, handle: undefined, lock: undefined, size: 0, isSpoiled: false };
  /** What is appended next, in one write; complete as soon as that begins or anything else is to come after it. */
  let gathering: Batch | undefined;
  /** What is under way, one thing at a time. */
  let last = Promise.resolve();

  function inTurn(work: () => Promise<void>): Promise<void> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  function gather(): Batch {
    const texts: string[] = [];
    const written = inTurn(() => {
      if (gathering?.texts === texts) gathering = undefined;
      return write(place, texts.join(""));
    });
    return { texts, written };
  }

  /** What is appended from now on comes after it. */
  function afterAll(work: () => Promise<void>): Promise<void> {
    gathering = undefined;
    return inTurn(work);
  }

  return {
    open: () => inTurn(async () => void (await opened(place))),
    append(text) {
      gathering ??= gather();
      gathering.texts.push(text);
      return gathering.written;
    },
    clear: () => afterAll(() => clear(place)),
    rewrite: (text) => afterAll(() => rewrite(place, text())),
    rotate: (rotation) => afterAll(() => rotate(place, rotation)),
    size: () => place.size,
    close: () => inTurn(() => close(place)),
    remove: () =>
      inTurn(async () => {
        if (place.handle !== undefined || place.lock !== undefined) await rm(place.path, { force: true });
        await close(place);
      }),
  };
}

async function opened(place: Place): Promise<FileHandle> {
  place.handle ??= await openToAppend(place);
  if (place.isSpoiled) {
    await place.handle.truncate(place.size);
    place.isSpoiled = false;
  }
  return place.handle;
}

async function openToAppend(place: Place): Promise<FileHandle> {
  const { path, isLocked = false } = place;
  await mkdir(dirname(path), { recursive: true });
  if (isLocked) place.lock ??= await lockFile(path);
  const handle = await open(path, "a+", 0o600);
  try {
    place.size = (await handle.stat()).size;
    place.isSpoiled = false;
    if (place.size > 0) await endLastLine(place, handle);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function endLastLine(place: Place, handle: FileHandle): Promise<void> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, place.size - 1);
  if (buffer[0] === lineFeed) return;
  await handle.appendFile("\n");
  place.size += 1;
}

async function write(place: Place, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const handle = await opened(place);
  place.isSpoiled = true;
  await handle.appendFile(bytes);
  await handle.datasync();
  place.size += bytes.length;
  place.isSpoiled = false;
}

async function clear(place: Place): Promise<void> {
  const handle = await opened(place);
  await handle.truncate(0);
  place.size = 0;
  await handle.datasync();
}

async function rewrite(place: Place, text: string): Promise<void> {
  await replaceFile(place.path, text);
  // What was open is the file that is no more.
  await closeHandle(place);
  await opened(place);
}

async function rotate(place: Place, { nowMs, keepFiles, begin }: Rotation): Promise<void> {
  const { path } = place;
  const aside = `${path}.${new Date(nowMs).toISOString().replaceAll(/[-:]/g, "")}`;
  // What a failed write left behind is cut off before the file goes.
  await opened(place);
  await closeHandle(place);
  await rename(path, aside);
  await write(place, begin(aside, await removeOldest(path, keepFiles)));
  await syncFolder(dirname(path));
}

/** Those that were put aside have names that end in the time, so that they sort by it. @returns what was removed */
async function removeOldest(path: string, keepFiles: number): Promise<readonly string[]> {
  const own = `${basename(path)}.`;
  const aside = (await readdir(dirname(path))).filter(
    (name) => name.startsWith(own) && /^\d{8}T\d{6}\.\d{3}Z$/.test(name.slice(own.length)),
  );
  const oldest = aside.sort().slice(0, Math.max(0, aside.length - keepFiles));
  const removed = oldest.map((name) => join(dirname(path), name));
  for (const each of removed) await rm(each, { force: true });
  return removed;
}

async function closeHandle(place: Place): Promise<void> {
  const { handle } = place;
  place.handle = undefined;
  await handle?.close();
}

async function close(place: Place): Promise<void> {
  await closeHandle(place);
  await place.lock?.release();
  place.lock = undefined;
}

/**
 * Takes over the files of processes of this host that are gone: those of the folder that end so and nobody has locked.
 *
 * @param own the path of this process's
 * @param keep makes what is in a file this process's, which is removed once it resolves; tells how many there were
 * @returns how many there were in all of them
 * @throws the file system's error
 */
export async function takeOverFiles(
  folder: string,
  ending: string,
  own: string,
  keep: (text: string) => Promise<number>,
): Promise<number> {
  let count = 0;
  for (const name of await namesIn(folder)) {
    const other = join(folder, name);
    if (name.endsWith(ending) && other !== own) count += await takeOver(other, keep);
  }
  return count;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function takeOver(other: string, keep: (text: string) => Promise<number>): Promise<number> {
  let lock: FileLock;
  try {
    lock = await lockFile(other);
  } catch {
    // Its process runs.
    return 0;
  }
  try {
    const count = await keep(await readFile(other, "utf8"));
    await rm(other, { force: true });
    return count;
  } catch (error) {
    // Another process that starts just now was faster.
    if (codeOf(error) === "ENOENT") return 0;
    throw error;
  } finally {
    await lock.release();
  }
}
