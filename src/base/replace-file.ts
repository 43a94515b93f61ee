/** Files that are read and replaced whole: a reader, at any moment and after any crash, finds the old text or the new. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "./errors.ts";

/** A temporary file older than this was left behind by a crash. */
const abandonedAfterMs = 60_000;

/** @returns the file's text; `undefined` when there is no such file @throws the file system's error */
export async function textIn(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Writes the text beside the file, makes it durable, and renames it into place. Creates the folder if need be.
 * The file is readable by its owner only. Two writers never share a temporary file.
 *
 * @param ready is awaited before the text goes into place; what it throws leaves the file as it was
 * @throws the file system's error; the file is then what it was
 */
export async function replaceFile(path: string, text: string, ready = async () => {}): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.${randomBytes(8).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text, "utf8");
      await file.sync();
    } finally {
      await file.close();
    }
    await ready();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

/** Makes a new name in the folder durable. Some file systems cannot sync a folder: the file is in place all the same. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    return;
  }
}

/** Removes the temporary files that crashed writers of this file left behind. Never throws. */
export async function sweepTemporaries(path: string, nowMs: number): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  try {
    for (const name of await readdir(folder)) {
      const middle = name.slice(prefix.length, -".tmp".length);
      if (!name.startsWith(prefix) || !name.endsWith(".tmp") || !/^[0-9a-f]{16}$/.test(middle)) continue;
      const temporary = join(folder, name);
      const { mtimeMs } = await stat(temporary);
      if (nowMs - mtimeMs > abandonedAfterMs) await rm(temporary, { force: true });
    }
  } catch {
    return;
  }
}
