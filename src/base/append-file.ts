/**
 * A file that only grows: text is durable (fdatasync) before `append` resolves; what comes together shares one sync.
 * What a failed write left behind is cut off before the next, so that every text is whole or absent; only the last
 * may be cut short, by a crash before anybody was told of it.
 */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { replaceFile } from "./replace-file.ts";

export interface AppendFile {
  /** @param text with its line feed. @throws the file system's error: nothing of it is in the file */
  append(text: string): Promise<void>;
  /** Empties the file, after all that was appended so far. @throws the file system's error */
  clear(): Promise<void>;
  /**
   * Replaces what the file holds, whole, after all that was appended so far; `text` is asked for when its turn comes.
   *
   * @throws the file system's error: the file is then what it was
   */
  rewrite(text: () => string): Promise<void>;
  /** Bytes in the file, as far as it was written here. */
  size(): number;
  /** Resolves when all is written and the file is closed. */
  close(): Promise<void>;
}

interface Batch {
  readonly texts: string[];
  /** Settles with all of it. */
  readonly written: Promise<void>;
}

/** Opens it, and makes its folder, when it is first written to; it is readable by its owner only. */
export function createAppendFile(path: string): AppendFile {
  let file: FileHandle | undefined;
  let size = 0;
  let spoiled = false;
  /** What is appended next, in one write; closed as soon as that begins or anything else is to come after it. */
  let gathering: Batch | undefined;
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

  async function write(batch: Batch): Promise<void> {
    if (gathering === batch) gathering = undefined;
    const bytes = Buffer.from(batch.texts.join(""));
    const handle = await opened();
    spoiled = true;
    await handle.appendFile(bytes);
    await handle.datasync();
    size += bytes.length;
    spoiled = false;
  }

  function gather(): Batch {
    const texts: string[] = [];
    const batch: Batch = { texts, written: inTurn(() => write(batch)) };
    return batch;
  }

  return {
    append(text) {
      gathering ??= gather();
      gathering.texts.push(text);
      return gathering.written;
    },
    clear() {
      gathering = undefined;
      return inTurn(async () => {
        const handle = await opened();
        await handle.truncate(0);
        size = 0;
        await handle.datasync();
      });
    },
    rewrite(text) {
      gathering = undefined;
      return inTurn(async () => {
        await replaceFile(path, text());
        // What was open is the file that is no more.
        const before = file;
        file = undefined;
        spoiled = false;
        await before?.close();
        await opened();
      });
    },
    size: () => size,
    close: () =>
      inTurn(async () => {
        await file?.close();
        file = undefined;
      }),
  };
}
