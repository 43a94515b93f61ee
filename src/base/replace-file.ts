/** Replaces a file whole: whoever reads it, at any moment and after any crash, finds the old text or the new. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A temporary file older than this was left behind by a crash. */
const abandonedAfterMs = 60_000;

/**
 * Writes the text beside the file, makes it durable, and renames it into place. Creates the folder if need be.
 * The file is readable by its owner only. Two writers never share a temporary file.
 *
 * @throws the file system's error; the file is then what it was
 */
export async function replaceFile(path: string, text: string): Promise<void> {
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
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

/** Makes the rename itself durable. Some file systems cannot sync a folder: the file is in place all the same. */
async function syncFolder(folder: string): Promise<void> {
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
