/**
 * An append-only file of lines, mode 0600: what was written is on the disk (fdatasync) before the promise resolves.
 *
 *   rotated   at `rotateBytes`: PATH becomes PATH.TIME, and a new PATH begins with the line `begin` gives
 *   bounded   `keepFiles` of those are kept; the oldest that is removed is named in the log and in the new file
 *   shared    never: the first process on a host has PATH, the next PATH-2 (before the ending), and so on
 *   a crash   can cut the last line; the next writer ends it, so that its own lines stay whole
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type FileLock, lockFile } from "../base/file-lock.ts";
import { type Line, type Versions, versionsIn } from "./lines.ts";

export interface AuditFileOptions {
  readonly path: string;
  readonly rotateBytes?: number;
  /** Rotated ones. */
  readonly keepFiles?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The first line of a new file, after `kind`. */
  readonly begin: (versions: Versions) => Readonly<Record<string, unknown>>;
  readonly onRemoved: (path: string) => void;
}

export interface AuditFile {
  readonly path: string;
  /** How far the file's changes went when it was opened. */
  readonly versions: Versions;
  /** Never two at once. @param versions how far the changes go with these lines */
  append(lines: readonly Line[], versions: Versions): Promise<void>;
  close(): Promise<void>;
}

const maxProcesses = 99;

/** @throws Error of the file system */
export async function openAuditFile(options: AuditFileOptions): Promise<AuditFile> {
  const { rotateBytes = 16 * 1024 ** 2, keepFiles = 64, now } = options;
  await mkdir(dirname(options.path), { recursive: true });
  const { path, lock } = await lockFirst(options.path);
  try {
    const text = await textOf(path);
    const versions = versionsIn(text);
    let handle = await openToAppend(path);
    let size = Buffer.byteLength(text);
    if (size === 0) await write(await beginLine(versions, null, []));
    else if (!text.endsWith("\n")) await write("\n");

    async function write(bytes: string): Promise<void> {
      await handle.writeFile(bytes);
      await handle.datasync();
      size += Buffer.byteLength(bytes);
    }

    async function beginLine(at: Versions, previous: string | null, removed: readonly string[]) {
      const line = { kind: "begin", versions: Object.fromEntries(at), previous, removed };
      return `${JSON.stringify({ ...line, ...options.begin(at) })}\n`;
    }

    async function rotate(at: Versions): Promise<void> {
      const aside = `${path}.${new Date(now()).toISOString().replaceAll(/[-:]/g, "")}`;
      await handle.close();
      await rename(path, aside);
      handle = await openToAppend(path);
      size = 0;
      const removed = await removeOldest(path, keepFiles);
      for (const each of removed) options.onRemoved(each);
      await write(
        await beginLine(
          at,
          basename(aside),
          removed.map((each) => basename(each)),
        ),
      );
      await syncFolder(dirname(path));
    }

    return {
      path,
      versions,
      async append(lines, at) {
        await write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
        if (size >= rotateBytes) await rotate(at);
      },
      async close() {
        await handle.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function lockFirst(wanted: string): Promise<{ readonly path: string; readonly lock: FileLock }> {
  for (let number = 1; ; number++) {
    const path = number === 1 ? wanted : wanted.replace(/(\.[^./]*)?$/, `-${number}$1`);
    try {
      return { path, lock: await lockFile(path) };
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "ELOCKED";
      if (!isTaken || number === maxProcesses) throw error;
    }
  }
}

function openToAppend(path: string): Promise<FileHandle> {
  return open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

/** Their names end in the time, so that they sort by it. @returns those that were removed */
async function removeOldest(path: string, keepFiles: number): Promise<readonly string[]> {
  const own = `${basename(path)}.`;
  const rotated = (await readdir(dirname(path))).filter(
    (name) => name.startsWith(own) && /^\d{8}T\d{6}\.\d{3}Z$/.test(name.slice(own.length)),
  );
  const old = rotated.sort().slice(0, Math.max(0, rotated.length - keepFiles));
  const removed = old.map((name) => join(dirname(path), name));
  for (const each of removed) await rm(each, { force: true });
  return removed;
}

/** So that the new names survive a crash of the machine as well. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
