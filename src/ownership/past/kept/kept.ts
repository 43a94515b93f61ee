/**
 * What outlives a process of what it knows of requests with a key: those that it has sent (sent-file.ts), and the notes that
 * the store has not taken (spill.ts). The files of processes that are gone are taken over by the next one of this host, and
 * by those that run: whoever does not come back has them listed all the same.
 */
import { join } from "node:path";
import { takeOverFiles } from "../../../base/append-file.ts";
import type { Timers } from "../../../base/clock.ts";
import { errorText, type Log } from "../../../base/log.ts";
import type { PastNotes } from "../port.ts";
import { createSentFile, readSent, type SentFile, sentEnding } from "./sent-file.ts";
import { createSpill, notesEnding, readSpilled, type Spill } from "./spill.ts";

export interface Kept {
  readonly sent: Pick<SentFile, "take">;
  readonly spill: Pick<Spill, "keep" | "done">;
  /**
   * Takes over the files of processes that are gone.
   *
   * @param keep makes these notes this process's; a file is removed once it resolves
   * @returns how many requests in doubt there were
   * @throws the file system's error
   */
  adopt(keep: (notes: PastNotes) => Promise<void>): Promise<number>;
  /** Never rejects. */
  close(): Promise<void>;
}

interface KeptOptions {
  readonly folder: string;
  /** Tells this process from others of the same number. */
  readonly id: string;
  readonly log: Pick<Log, "warn">;
  /** A request was sent without being written down before. */
  readonly onUnwritten: () => void;
}

/** Touches nothing before there is something to be kept. */
export function openKept({ folder, id, log, onUnwritten }: KeptOptions): Kept {
  const own = join(folder, `${process.pid}-${id}`);
  const sent = createSentFile({ path: own + sentEnding, log, onUnwritten });
  const spill = createSpill(own + notesEnding);
  return {
    sent,
    spill,
    async adopt(keep) {
      const notes = await takeOverFiles(folder, notesEnding, own + notesEnding, async (text) => {
        const left = readSpilled(text);
        await keep(left);
        return left.doubts.filter(({ outcome }) => outcome !== null).length;
      });
      const requests = await takeOverFiles(folder, sentEnding, own + sentEnding, async (text) => {
        const left = readSent(text);
        // Nobody has heard of them since.
        const doubts = left.map((each) => ({
          ...each,
          sinceMs: each.sentAtMs,
          outcome: "instance_gone" as const,
        }));
        await keep({ keys: [], doubts });
        return left.length;
      });
      return notes + requests;
    },
    async close() {
      await Promise.all([sent.close(), spill.close()]);
    },
  };
}

interface AdoptionOptions {
  readonly kept?: Pick<Kept, "adopt"> | undefined;
  readonly timers: Timers;
  readonly log?: Pick<Log, "info" | "warn"> | undefined;
  /** Makes these notes of a cutover this process's. @throws the file system's error */
  readonly inherit: (cutover: string, notes: PastNotes) => Promise<void>;
}

const lookEveryMs = 15_000;

/** Looks for what processes left that are gone, at the start and again and again: some do not come back. */
export function createAdoption({ kept, timers, log, inherit }: AdoptionOptions) {
  let cancel = () => {};
  let isStopped = false;

  async function keep({ keys, doubts }: PastNotes): Promise<void> {
    for (const cutover of new Set([...keys, ...doubts].map((note) => note.cutover))) {
      await inherit(cutover, {
        keys: keys.filter((note) => note.cutover === cutover),
        doubts: doubts.filter((note) => note.cutover === cutover),
      });
    }
  }

  async function look(): Promise<void> {
    if (kept === undefined) return;
    try {
      const found = await kept.adopt(keep);
      if (found > 0)
        log?.warn({ requests: found }, "took over requests in doubt that a process has left which is gone");
    } catch (error) {
      log?.warn(
        { error: errorText(error) },
        "what earlier processes left of past requests could not be read",
      );
    }
    if (!isStopped) cancel = timers.after(lookEveryMs, () => void look());
  }

  return {
    /** Never rejects. */
    start: look,
    stop() {
      isStopped = true;
      cancel();
    },
  };
}
