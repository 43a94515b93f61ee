/**
 * A file that only grows: text is durable (fdatasync) before `append` resolves; what comes together shares one sync.
 * What a failed write left behind is cut off before the next, so that every text is whole or absent; only the last
 * may be cut short, by a crash before anybody was told of it.
 */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

export interface AppendFile {
  /** @param text with its line feed. @throws the file system's error: nothing of it is in the file */
  append(text: string): Promise<void>;
  /** Empties the file, after all that was appended so far. @throws the file system's error */
  clear(): Promise<void>;
  /** Resolves when all is written and the file is closed. */
  close(): Promise<void>;
}

/** Opens it, and makes its folder, when it is first written to; it is readable by its owner only. */
export function createAppendFile(path: string): AppendFile {
  let file: FileHandle | undefined;
  let size = 0;
  let spoiled = false;
  let waiting: { readonly text: string; readonly settle: (error?: unknown) => void }[] = [];
  /** What is under way, one thing at a time. */
  let last = Promise.resolve();

  function inTurn(work: () => Promise<void>): Promise<void> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  async function opened(): Promise<FileHandle> {
    if (file === undefined) {
      await mkdir(dirname(path), { recursive: true });
      file = await open(path, "a", 0o600);
      size = (await file.stat()).size;
    }
    if (spoiled) {
      await file.truncate(size);
      spoiled = false;
    }
    return file;
  }

  async function flush(): Promise<void> {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    let failure: unknown;
    try {
      const bytes = Buffer.from(batch.map(({ text }) => text).join(""));
      const handle = await opened();
      spoiled = true;
      await handle.appendFile(bytes);
      await handle.datasync();
      size += bytes.length;
      spoiled = false;
    } catch (error) {
      failure = error ?? new Error("the file could not be written");
    }
    for (const { settle } of batch) settle(failure);
  }

  return {
    append: (text) =>
      new Promise((resolve, reject) => {
        const settle = (error?: unknown) => (error === undefined ? resolve() : reject(error));
        waiting.push({ text, settle });
        void inTurn(flush);
      }),
    clear: () =>
      inTurn(async () => {
        const handle = await opened();
        await handle.truncate(0);
        size = 0;
        await handle.datasync();
      }),
    close: () =>
      inTurn(async () => {
        await file?.close();
        file = undefined;
      }),
  };
}
