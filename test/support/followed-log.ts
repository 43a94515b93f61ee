/** The log of a process, a JSON object a line, in a file that grows: read on from where the last reading ended. */
import { open, readFile, writeFile } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const line = z.looseObject({ msg: z.string() });
export type LogLine = z.output<typeof line>;

export interface FollowedLog {
  /** All lines that are JSON, but for those that stood in it before. */
  lines(): Promise<readonly LogLine[]>;
  /** Resolves when as many lines as told have this message, with them. Rejects after 30 s, or when none can come. */
  said(message: string, times: number, isOver: () => boolean): Promise<readonly LogLine[]>;
}

const patienceMs = 30_000;

/** Makes the file if it is not there. What stands in it already is left out. */
export async function openLog(path: string): Promise<FollowedLog> {
  await writeFile(path, "", { flag: "a" });
  const found: LogLine[] = [];
  let { length: readTo } = await readFile(path);
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let reading: Promise<void> = Promise.resolve();

  async function readOn(): Promise<void> {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const piece = Buffer.alloc(size - readTo);
      const { bytesRead } = await file.read(piece, 0, piece.length, readTo);
      readTo += bytesRead;
      const lines = (rest + decoder.write(piece.subarray(0, bytesRead))).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) if (text.startsWith("{")) found.push(line.parse(JSON.parse(text)));
    } finally {
      await file.close();
    }
  }

  async function lines(): Promise<readonly LogLine[]> {
    reading = reading.then(readOn);
    await reading;
    return found;
  }

  return {
    lines,
    async said(message, times, isOver) {
      const deadline = performance.now() + patienceMs;
      for (;;) {
        // Before the reading: what it says last is read, too.
        const isLast = isOver() || performance.now() > deadline;
        const wanted = (await lines()).filter(({ msg }) => msg === message);
        if (wanted.length >= times) return wanted;
        if (isLast) throw new Error(`not said: ${message}\n${await readFile(path, "utf8")}`);
        await sleep(20);
      }
    },
  };
}
