/** What the history says of a change: how it came about, beside who asked for it and why, and the reasons given later. PURE. */
import { changeActions, type StateName } from "./model.ts";
import type { CohortPercents } from "./percent.ts";

/**
 * What stands in the history: a change, or one that came by hand past the API (`out_of_band`), or to one instance
 * alone (`local`, until the store has accepted it as `reconciled`).
 */
export const historyActions = [...changeActions, "out_of_band", "local", "reconciled"] as const;
type HistoryAction = (typeof historyActions)[number];

/** The author of an `out_of_band` change: nobody has signed in. */
export const byHand = "by hand";

/** The author of what the guard changes: nobody else may have this name. */
export const byGuard = "guard";

/**
 * `console`: with the page's session. `api`: any other call, the command line's among them. `cli`: what versions before believed
 * of a caller.
 * `by hand`: written into the store past the API. `local`: told to one instance while the store was out of reach, which
 * the store has as `reconciled`. `schedule`: asked for before its time, and made then by who leads. `return`: a step of a
 * gradual return. `direct`: written to the store by the command line.
 */
export const vias = [
  "console",
  "cli",
  "api",
  "guard",
  "plan",
  "return",
  "schedule",
  "by hand",
  "local",
  "reconciled",
  "direct",
] as const;
export type Via = (typeof vias)[number];

export interface Origin {
  readonly via: Via;
  /** The id of the request that asked for it, as the instance's answer named it; without it, no request did. */
  readonly requestId?: string | undefined;
}

/** The same of what was written down, as far as it was. */
interface WrittenOrigin {
  readonly via?: Via | undefined;
  readonly requestId?: string | undefined;
}

/** A reason that was given for a change later. The change's own entry stays as it was written. */
export interface Annotation extends WrittenOrigin {
  /** RFC 3339, the store's clock. */
  readonly at: string;
  readonly by: string;
  readonly reason: string;
}

/** A reason with the version of its change. */
export interface StoredAnnotation extends Annotation {
  readonly version: number;
}

/** How a cutover stood before or after a change. */
interface Stood {
  readonly percentThousandths: number;
  /** Absent: it had no cohorts with a percent of their own. */
  readonly cohorts?: CohortPercents | undefined;
  readonly state: StateName;
}

export interface HistoryEntry extends WrittenOrigin {
  readonly version: number;
  /** RFC 3339, the store's clock. */
  readonly at: string;
  readonly by: string;
  readonly action: HistoryAction;
  readonly from: Stood;
  readonly to: Stood & {
    /** As of the state. */
    readonly maintenance?: string;
  };
  readonly reason: string;
  /** Oldest first; without it, none. */
  readonly annotations?: readonly Annotation[];
}

/** The entries, each with what was added to it. @param annotations oldest first */
export function withAnnotations(
  entries: readonly HistoryEntry[],
  annotations: readonly StoredAnnotation[],
): readonly HistoryEntry[] {
  if (annotations.length === 0) return entries;
  const found = new Map<number, Annotation[]>();
  for (const { version, ...annotation } of annotations) {
    found.set(version, [...(found.get(version) ?? []), annotation]);
  }
  return entries.map((entry) => {
    const own = found.get(entry.version);
    return own === undefined ? entry : { ...entry, annotations: own };
  });
}

/**
 * Characters that nobody sees: what reorders a line (bidi controls), has no width, or is no text at all. In a reason they
 * could make the history say something else than what is written there.
 */
const unseen =
  /(?![\ufe00-\ufe0f])[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]|(?![\n\r\t])\p{Cc}/gu;

/** @returns the text with each of them as `\u{202e}`: a reason is never a cause to refuse a rollback */
export function escapeUnseen(text: string): string {
  return text.replace(unseen, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
