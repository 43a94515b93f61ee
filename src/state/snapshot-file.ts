/**
 * The last good state of everything in a file, so that an instance can start cold without the store.
 *
 * Instances may share the file. Each write reads it first and merges: of two states of a cutover the higher version
 * wins, and what the file knows beyond the writer is kept. Two instances writing in the same instant can still drop
 * the newer of their states; it is written again when the other instance follows it, within one poll.
 *
 * What does not read as such a file is ignored with a warning and copied aside, never deleted.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { coalesce } from "./coalesce.ts";
import { errorText, type Log } from "./log.ts";
import type { CutoverState } from "./model.ts";
import { replaceFile, sweepTemporaries } from "./replace-file.ts";
import { sameState } from "./snapshot.ts";
import type { Clock } from "./store.ts";
import { storedState } from "./stored-state.ts";

export interface Kept {
  readonly states: ReadonlyMap<string, CutoverState>;
  /** The values that all instances share (secrets generated once), by name. */
  readonly shared: ReadonlyMap<string, string>;
}

export interface SnapshotFile {
  /** What the file holds; nothing when it is absent, unreadable or not such a file. Never rejects. */
  read(): Promise<Kept>;
  /** Has the states written in the background. Free when nothing is new since the last write that succeeded. */
  keep(states: ReadonlyMap<string, CutoverState>): void;
  /** Has the shared value written in the background; it replaces one the file holds under that name. */
  keepShared(name: string, value: string): void;
  /** Resolves when all that was to be kept is written, or could not be. Never rejects. */
  settled(): Promise<void>;
}

const fileFormat = z.object({
  format: z.literal(1),
  states: z.record(z.string(), storedState),
  shared: z.record(z.string(), z.string()).optional(),
});

const nothing: Kept = { states: new Map(), shared: new Map() };

/** @param path of the file; its folder is made when it is first written */
export function createSnapshotFile(options: {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}): SnapshotFile {
  const { path, clock, log } = options;
  let wanted = nothing;
  let unsaved = false;
  let failing = false;

  const save = coalesce(async () => {
    if (!unsaved) return;
    unsaved = false;
    try {
      await write();
      if (failing) log.info({ file: path }, "snapshot file written again");
      failing = false;
    } catch (error) {
      unsaved = true;
      if (!failing) log.warn({ file: path, error: errorText(error) }, "snapshot file could not be written");
      failing = true;
    }
  });

  async function write(): Promise<void> {
    const onDisk = (await load()) ?? nothing;
    const merged = merge(onDisk, wanted);
    if (merged !== onDisk) await replaceFile(path, serialise(merged));
  }

  /** @returns undefined when there is no such file. Rejects with the file system's error. */
  async function load(): Promise<Kept | undefined> {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
    const kept = parse(text);
    if (kept === undefined) await setAside(text);
    return kept;
  }

  /** A copy, named after its content: one refused text is kept once, however often it is read. */
  async function setAside(text: string): Promise<void> {
    const aside = `${path}.refused-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
    try {
      await writeFile(aside, text, { flag: "wx", mode: 0o600 });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    log.warn({ file: path, aside }, "snapshot file is not valid: ignored, a copy was kept");
  }

  function want(next: Kept): void {
    if (next === wanted && !unsaved) return;
    wanted = next;
    unsaved = true;
    void save();
  }

  return {
    async read() {
      await sweepTemporaries(path, clock.now());
      try {
        return (await load()) ?? nothing;
      } catch (error) {
        log.warn({ file: path, error: errorText(error) }, "snapshot file could not be read: ignored");
        return nothing;
      }
    },
    keep: (states) => want(merge(wanted, { states, shared: nothing.shared })),
    keepShared: (name, value) =>
      want(merge(wanted, { states: nothing.states, shared: new Map([[name, value]]) })),
    settled: save,
  };
}

/** @returns `base` itself when `over` adds nothing to it */
function merge(base: Kept, over: Kept): Kept {
  const newer = [...over.states].filter(([name, state]) => {
    const mine = base.states.get(name);
    return mine === undefined || (state.version >= mine.version && !sameState(mine, state));
  });
  const changed = [...over.shared].filter(([name, value]) => base.shared.get(name) !== value);
  if (newer.length === 0 && changed.length === 0) return base;
  return {
    states: new Map([...base.states, ...newer]),
    shared: new Map([...base.shared, ...changed]),
  };
}

function serialise(kept: Kept): string {
  const content: z.infer<typeof fileFormat> = {
    format: 1,
    states: Object.fromEntries(kept.states),
    ...(kept.shared.size === 0 ? {} : { shared: Object.fromEntries(kept.shared) }),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function parse(text: string): Kept | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = fileFormat.safeParse(json);
  if (data === undefined) return undefined;
  return {
    states: new Map(Object.entries(data.states)),
    shared: new Map(Object.entries(data.shared ?? {})),
  };
}
