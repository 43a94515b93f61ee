/**
 * The audit file: lines that are durable once they are written (base/append-file.ts), each a JSON object, `kind`
 * first.
 *
 *   begin       a file begins: the versions its changes go on from, the file before it, files that were removed
 *   change      an entry of the history, of any person and any instance
 *   gap         versions the store had forgotten before they were read: from, to
 *   refused     a change this instance was asked for and did not make, and why; by the rule book, or before it was
 *               asked: then with the `call` in place of the action
 *   local       a change of this instance alone; once the store has it, a `change` with via reconciled follows
 *   annotation  a reason this instance was given for an earlier change
 *   proposal    a raise that needs a second person: proposed, approved, withdrawn or expired
 *   owner       the owner of a key: proposed, set or released
 *   doubt       requests in doubt that a person has settled
 *   list        a list: proposed or changed
 *   plan        a plan: started, paused, or become another one by itself
 *   freeze      everything was frozen, or that was lifted
 *   schedule    a percent that is to be set at a time: scheduled, cancelled, made, refused or missed
 *   omitted     so many refusals are not in the file: more came than are written
 *
 * It is never shared: the first process on a host has PATH, the next PATH-2 (before the ending), and so on. At
 * `rotateBytes` it is put aside and begun anew; the oldest that is removed for it is named in the log and in the new file.
 */
import { basename } from "node:path";
import * as z from "zod";
import { type AppendFile, createAppendFile } from "../base/append-file.ts";
import { codeOf } from "../base/errors.ts";
import { jsonOf } from "../base/json.ts";
import { textIn } from "../base/replace-file.ts";
import type { AuditLine } from "./lines.ts";

/** The last version of each cutover that is in the file. */
type Versions = ReadonlyMap<string, number>;

export interface AuditFileOptions {
  readonly path: string;
  /** 16 MiB without it. */
  readonly rotateBytes?: number;
  /** How many that were put aside are kept; 64 without it. */
  readonly keepFiles?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Stands in the first line of each file. */
  readonly instance: string;
  readonly onRemoved: (path: string) => void;
}

export interface AuditFile {
  readonly path: string;
  /** How far the file's changes went when it was opened. */
  readonly versions: Versions;
  /** @throws the file system's error: none of the lines is in the file */
  append(lines: readonly AuditLine[]): Promise<void>;
  /** Begins a new file when this one has its size. @param versions how far the changes go by now */
  rotateWhenFull(versions: Versions): Promise<void>;
  close(): Promise<void>;
}

const maxProcesses = 99;

/** @throws Error of the file system */
export async function openAuditFile(options: AuditFileOptions): Promise<AuditFile> {
  const { rotateBytes = 16 * 1024 ** 2, keepFiles = 64, now, instance, onRemoved } = options;
  const { path, file } = await openFirst(options.path);

  const beginLine = (at: Versions, previous: string | null, removed: readonly string[]) => {
    const from = { versions: Object.fromEntries(at), previous, removed };
    return textOf({ kind: "begin", ...from, at: new Date(now()).toISOString(), instance });
  };

  try {
    const versions = versionsIn((await textIn(path)) ?? "");
    if (file.size() === 0) await file.append(beginLine(versions, null, []));
    return {
      path,
      versions,
      append: (lines) => file.append(lines.map(textOf).join("")),
      async rotateWhenFull(at) {
        if (file.size() < rotateBytes) return;
        await file.rotate({
          nowMs: now(),
          keepFiles,
          begin(aside, removed) {
            removed.forEach(onRemoved);
            return beginLine(
              at,
              basename(aside),
              removed.map((each) => basename(each)),
            );
          },
        });
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Opens the first of PATH, PATH-2, … that no other process of this host has. */
async function openFirst(wanted: string): Promise<{ readonly path: string; readonly file: AppendFile }> {
  for (let number = 1; ; number++) {
    const path = number === 1 ? wanted : wanted.replace(/(\.[^./]*)?$/, `-${number}$1`);
    const file = createAppendFile(path, { isLocked: true });
    try {
      await file.open();
      return { path, file };
    } catch (error) {
      await file.close();
      if (codeOf(error) !== "ELOCKED" || number === maxProcesses) throw error;
    }
  }
}

function textOf(line: AuditLine): string {
  return `${JSON.stringify(line)}\n`;
}

const followed = z.union([
  z.object({ kind: z.literal("begin"), versions: z.record(z.string(), z.int().min(0)) }),
  z.object({ kind: z.literal("change"), cutover: z.string(), version: z.int().min(1) }),
  z.object({ kind: z.literal("gap"), cutover: z.string(), to: z.int().min(1) }),
]);

/** How far the changes in the text go; what does not read, such as a line a crash has cut, is passed over. */
function versionsIn(text: string): Map<string, number> {
  const versions = new Map<string, number>();
  const raise = (cutover: string, version: number) =>
    versions.set(cutover, Math.max(version, versions.get(cutover) ?? 0));
  for (const line of text.split("\n")) {
    const found = followed.safeParse(jsonOf(line)).data;
    if (found?.kind === "begin") {
      for (const [cutover, version] of Object.entries(found.versions)) raise(cutover, version);
    } else if (found?.kind === "change") raise(found.cutover, found.version);
    else if (found?.kind === "gap") raise(found.cutover, found.to);
  }
  return versions;
}
