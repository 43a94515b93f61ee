/**
 * What waits to be told, in the order in which it happened, on disk so that it outlives the process: one file a process,
 * FOLDER/PID-ID.webhooks, JSON lines, locked while its process runs. What a process that is gone has left behind is taken
 * over by the next that starts on this host. No secret is in it, and of a receiver only a digest.
 *
 * Bounded: when it is full the oldest goes, for the newest says how things stand.
 */
import { join } from "node:path";
import * as z from "zod";
import { type AppendFile, createAppendFile, takeOverFiles } from "../base/append-file.ts";
import { jsonOf } from "../base/json.ts";
import { errorText, type Log } from "../base/log.ts";

const waiting = z.object({
  /** A digest of the receiver's URL. */
  to: z.string(),
  id: z.string(),
  /** What is sent, byte for byte. */
  body: z.string(),
  /** Since the epoch. */
  sinceMs: z.number(),
});
export type Undelivered = z.output<typeof waiting>;

export interface Queue {
  /** Takes over what was left behind. Never rejects. */
  start(): Promise<void>;
  add(item: Undelivered): void;
  /** The first that waits for the receiver. */
  next(to: string): Undelivered | undefined;
  done(item: Undelivered): void;
  /** Forgets what waits for other receivers than these, which are told nothing any more. */
  keep(receivers: ReadonlySet<string>): void;
  size(): number;
  /** Resolves when the file is written and closed. Never rejects. */
  close(): Promise<void>;
}

interface QueueOptions {
  /** Without it, in memory alone. */
  readonly folder: string | undefined;
  /** Tells this process from others of the same number. */
  readonly id: string;
  readonly most?: number;
  readonly onDropped: () => void;
  readonly log: Log;
}

const ending = ".webhooks";

export function createQueue({ folder, id, most = 1000, onDropped, log }: QueueOptions): Queue {
  const path = folder === undefined ? undefined : join(folder, `${process.pid}-${id}${ending}`);
  const file = path === undefined ? undefined : createAppendFile(path, { isLocked: true });
  let items: Undelivered[] = [];

  const line = (item: Undelivered) => `${JSON.stringify(item)}\n`;
  function written(change: (file: AppendFile) => Promise<void>): void {
    if (file === undefined) return;
    change(file).catch((error: unknown) =>
      log.warn({ error: errorText(error) }, "what is to be told by webhooks could not be kept on disk"),
    );
  }

  function add(item: Undelivered): void {
    if (items.some(({ to, id: known }) => to === item.to && known === item.id)) return;
    items.push(item);
    if (items.length <= most) {
      written((kept) => kept.append(line(item)));
      return;
    }
    items = items.slice(1);
    onDropped();
    written((kept) => kept.rewrite(() => items.map(line).join("")));
  }

  function leave(isLeft: (item: Undelivered) => boolean): void {
    const before = items.length;
    items = items.filter(isLeft);
    if (items.length === before) return;
    written((kept) => (items.length === 0 ? kept.clear() : kept.rewrite(() => items.map(line).join(""))));
  }

  return {
    async start() {
      if (folder === undefined || path === undefined) return;
      try {
        await takeOverFiles(folder, ending, path, async (text) => {
          const left = text.split("\n").flatMap((each) => waiting.safeParse(jsonOf(each)).data ?? []);
          for (const item of left) add(item);
          return left.length;
        });
      } catch (error) {
        log.warn(
          { error: errorText(error) },
          "what an earlier process was to tell by webhooks does not read",
        );
      }
    },
    add,
    next: (to) => items.find((item) => item.to === to),
    done: (item) => leave((each) => each !== item),
    keep: (receivers) => leave(({ to }) => receivers.has(to)),
    size: () => items.length,
    async close() {
      await (items.length === 0 ? file?.remove() : file?.close())?.catch(() => undefined);
    },
  };
}
