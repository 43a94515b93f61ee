/**
 * The embedded store of one host: one JSON document, replaced whole at each change (replace-file.ts) before the
 * change is in force, so that a crash at any byte leaves the last acknowledged state or a later one.
 *
 * The document is read when the store is opened and not again: edit it by hand only while nothing has it open.
 * One that does not read is refused and left untouched. Live instances are not written down; nor is who holds a lease,
 * for every holder ends with the process: of a lease its last token is.
 *
 * What is kept beside leases changes each few seconds and is no truth about a cutover: it stands in a file of its own,
 * `PATH.kept`, and one that does not read is as good as none.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import { lockFile } from "../../base/file-lock.ts";
import { jsonOf } from "../../base/json.ts";
import { replaceFile, sweepTemporaries, textIn } from "../../base/replace-file.ts";
import { annotationSchema, historyEntrySchema, proposalSchema, storedState } from "../rules/written.ts";
import { type CutoverRecord, emptyDocument, historyLimit, type StateDocument } from "./document.ts";
import { createInProcessStore } from "./in-process.ts";
import type { StartsOf, Store } from "./port.ts";

interface FileStoreOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly starts?: StartsOf | undefined;
}

const documentSchema = z.strictObject({
  format: z.literal(1),
  cutovers: z.record(
    z.string(),
    z.strictObject({
      state: storedState,
      history: z.array(historyEntrySchema),
      annotations: z.array(annotationSchema).optional(),
    }),
  ),
  shared: z.record(z.string(), z.string()),
  proposals: z.record(z.string(), proposalSchema).optional(),
  leases: z.record(z.string(), z.int().min(0)).optional(),
  notes: z.record(z.string(), z.strictObject({ revision: z.int().min(0), text: z.string() })).optional(),
});

/** By the lease's name. */
const keptSchema = z.record(z.string(), z.string());

/**
 * Opens the file, which need not exist yet, and keeps other processes off it until the store is closed.
 *
 * @throws Error naming the file when another process has it, or when it does not read as a state document
 */
export async function openFileStore({ path, clock, starts }: FileStoreOptions): Promise<Store> {
  await mkdir(dirname(path), { recursive: true });
  const lock = await lockFile(path);
  try {
    // Nobody else writes here now: every temporary file is a crash's.
    await sweepTemporaries(path, Number.POSITIVE_INFINITY);
    const document = await readDocument(path);
    const keptPath = `${path}.kept`;
    await sweepTemporaries(keptPath, Number.POSITIVE_INFINITY);
    const found = keptSchema.safeParse(jsonOf((await textIn(keptPath)) ?? "{}")).data ?? {};
    return createInProcessStore({
      kind: "file",
      clock,
      starts,
      document,
      persist: (next) => replaceFile(path, textOf(next)),
      kept: {
        found: new Map(Object.entries(found)),
        persist: (kept) => replaceFile(keptPath, JSON.stringify(Object.fromEntries(kept))),
      },
      onClose: () => lock.release(),
    });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function readDocument(path: string): Promise<StateDocument> {
  const text = await textIn(path);
  if (text === undefined) return emptyDocument;
  const json = jsonOf(text);
  // The parser's message would quote the text, which may hold secrets.
  if (json === undefined) throw new Error(`${path} is not JSON: repair it, or move it away to begin anew`);
  const read = documentSchema.safeParse(json);
  if (!read.success) {
    const faults = read.error.issues.map(
      (issue) => `${issue.path.join(".") || "document"}: ${issue.message}`,
    );
    throw new Error(`${path} is not a state document of cutover: ${faults.join("; ")}`);
  }
  const cutovers = new Map<string, CutoverRecord>();
  for (const [name, { state, history, annotations }] of Object.entries(read.data.cutovers)) {
    cutovers.set(name, {
      state,
      history: history.slice(0, historyLimit),
      ...(annotations === undefined ? {} : { annotations }),
    });
  }
  const { shared, proposals = {}, leases = {}, notes = {} } = read.data;
  return {
    cutovers,
    shared: new Map(Object.entries(shared)),
    proposals: new Map(Object.entries(proposals)),
    leases: new Map(Object.entries(leases)),
    notes: new Map(Object.entries(notes)),
  };
}

function textOf(document: StateDocument): string {
  const plain = {
    format: 1,
    cutovers: Object.fromEntries(document.cutovers),
    shared: Object.fromEntries(document.shared),
    // Only where there are any: a release that knows none refuses the keys.
    ...(document.proposals.size === 0 ? {} : { proposals: Object.fromEntries(document.proposals) }),
    ...(document.leases.size === 0 ? {} : { leases: Object.fromEntries(document.leases) }),
    ...(document.notes.size === 0 ? {} : { notes: Object.fromEntries(document.notes) }),
  };
  return `${JSON.stringify(plain, undefined, 2)}\n`;
}
