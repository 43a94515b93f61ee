/**
 * The last good state of everything in a file, so that an instance can start cold without the store.
 *
 * Instances may share the file, in turn (base/file-lock.ts). Each write reads it first and merges: of two states of a
 * cutover the higher version wins, and what the file knows beyond the writer is kept.
 *
 * The file names its store. Versions of another store mean nothing here: of its file only what lowers (local changes)
 * is taken over, and a write replaces it, with a copy kept aside. A file without a name is from an earlier release and
 * taken for this store's.
 *
 * Changes made on one instance alone (ceiling.ts) stand here until the store has accepted them, so that a restart keeps
 * them in force. An instance that starts with the file takes them over; accepted twice, they change nothing.
 *
 * What does not read as such a file is ignored with a warning and copied aside, never deleted.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import { codeOf } from "../../base/errors.ts";
import { inTurn } from "../../base/file-lock.ts";
import { jsonOf } from "../../base/json.ts";
import { errorText, type Log } from "../../base/log.ts";
import { replaceFile, sweepTemporaries, textIn } from "../../base/replace-file.ts";
import type { LocalChange } from "../rules/ceiling.ts";
import { sameState } from "../rules/lineage.ts";
import type { CutoverState } from "../rules/model.ts";
import { localChangeSchema, storedState } from "../rules/written.ts";

interface Kept {
  /** The store it is of, where that is known. */
  readonly store?: string | undefined;
  readonly states: ReadonlyMap<string, CutoverState>;
  /** The values that all instances share (secrets generated once), by name. */
  readonly shared: ReadonlyMap<string, string>;
  /** Changes made without the store that it has not accepted yet, by id. */
  readonly local: ReadonlyMap<string, LocalChange>;
}

export interface SnapshotFile {
  /** What the file holds; nothing when it is absent, unreadable or not such a file. Never rejects. */
  read(): Promise<Kept>;
  /** Has the states written in the background. Free when nothing is new since the last write that succeeded. */
  keep(states: ReadonlyMap<string, CutoverState>): void;
  /** Has the shared value written in the background; it replaces one the file holds under that name. */
  keepShared(name: string, value: string): void;
  /** Has a change made without the store written in the background. */
  keepLocal(change: LocalChange): void;
  /** Has it taken out again. */
  dropLocal(id: string): void;
  /** Resolves when all that was to be kept is written, or could not be. Never rejects. */
  settled(): Promise<void>;
}

const fileFormat = z.object({
  format: z.literal(1),
  store: z.string().optional(),
  states: z.record(z.string(), storedState),
  shared: z.record(z.string(), z.string()).optional(),
  local: z.record(z.string(), localChangeSchema).optional(),
});

const nothing: Kept = { states: new Map(), shared: new Map(), local: new Map() };

/** What the file is to hold, and which local changes it is not to hold any more. */
interface Wanted extends Kept {
  readonly dropped: ReadonlySet<string>;
}

interface SnapshotFileOptions {
  /** Of the file; its folder is made when it is first written. */
  readonly path: string;
  /** The store's name (store/open.ts), which the file will bear; without one it goes by no name. */
  readonly store?: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function createSnapshotFile(options: SnapshotFileOptions): SnapshotFile {
  const { path, store, clock, log } = options;
  const load = createLoading(options);
  let wanted: Wanted = { ...nothing, dropped: new Set() };
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
    await inTurn(path, async (isMine) => {
      const onDisk = (await load()) ?? nothing;
      const merged = merge(onDisk, wanted);
      if (merged === onDisk && onDisk.store === store) return;
      await replaceFile(path, serialise({ ...merged, store }), async () => {
        if (!(await isMine())) throw new Error("another instance has written meanwhile");
      });
    });
  }

  function want(over: Partial<Wanted>): void {
    const dropped = over.dropped ?? wanted.dropped;
    const next = merge(wanted, { ...nothing, ...over, dropped });
    if (next === wanted && dropped === wanted.dropped && !unsaved) return;
    wanted = { ...next, dropped };
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
    keep: (states) => want({ states }),
    keepShared: (name, value) => want({ shared: new Map([[name, value]]) }),
    keepLocal: (change) => want({ local: new Map([[change.id, change]]) }),
    dropLocal: (id) => want({ dropped: new Set([...wanted.dropped, id]) }),
    settled: save,
  };
}

/** @returns reads what the file holds for this store: undefined when there is no such file. Rejects with the file system's error. */
function createLoading({ path, store, log }: SnapshotFileOptions): () => Promise<Kept | undefined> {
  let isSaid = false;
  return async () => {
    const text = await textIn(path);
    if (text === undefined) return undefined;
    const kept = parse(text);
    if (kept === undefined) {
      const aside = await setAside(path, text);
      log.warn({ file: path, aside }, "snapshot file is not valid: ignored, a copy was kept");
      return undefined;
    }
    if (store === undefined || kept.store === undefined || kept.store === store) return kept;
    const aside = await setAside(path, text);
    if (!isSaid) {
      const said = { file: path, aside, store, other: kept.store };
      log.warn(said, "snapshot file is of another store: its states are not used, a copy was kept");
    }
    isSaid = true;
    return { ...nothing, store: kept.store, local: kept.local };
  };
}

/** Keeps a copy, named after its content: one refused text is kept once, however often it is read. */
async function setAside(path: string, text: string): Promise<string> {
  const aside = `${path}.refused-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  try {
    await writeFile(aside, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  return aside;
}

/** @returns `base` itself when `over` changes nothing about it */
function merge<Base extends Kept>(base: Base, over: Wanted): Base {
  const newer = [...over.states].filter(([name, state]) => {
    const mine = base.states.get(name);
    return mine === undefined || (state.version >= mine.version && !sameState(mine, state));
  });
  const changed = [...over.shared].filter(([name, value]) => base.shared.get(name) !== value);
  const made = [...over.local].filter(([id]) => !base.local.has(id) && !over.dropped.has(id));
  const isDropped = [...base.local.keys()].some((id) => over.dropped.has(id));
  if (newer.length + changed.length + made.length === 0 && !isDropped) return base;
  return {
    ...base,
    states: new Map([...base.states, ...newer]),
    shared: new Map([...base.shared, ...changed]),
    local: new Map([...base.local, ...made].filter(([id]) => !over.dropped.has(id))),
  };
}

function serialise({ store, states, shared, local }: Kept): string {
  const content: z.infer<typeof fileFormat> = {
    format: 1,
    ...(store === undefined ? {} : { store }),
    states: Object.fromEntries(states),
    ...(shared.size === 0 ? {} : { shared: Object.fromEntries(shared) }),
    ...(local.size === 0 ? {} : { local: Object.fromEntries(local) }),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function parse(text: string): Kept | undefined {
  const { data } = fileFormat.safeParse(jsonOf(text));
  if (data === undefined) return undefined;
  return {
    ...(data.store === undefined ? {} : { store: data.store }),
    states: new Map(Object.entries(data.states)),
    shared: new Map(Object.entries(data.shared ?? {})),
    local: new Map(Object.entries(data.local ?? {})),
  };
}
