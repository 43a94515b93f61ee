/** What is written into the audit file besides the changes that stand in the history. */
import type { Actor, Change, RefusalCode, StateName } from "../state/model.ts";
import type { Annotation, Origin } from "../state/origin.ts";

/** What one instance was asked, and how the cutover stood there then. */
export interface AskedChange {
  /** The cutover's name. */
  readonly name: string;
  readonly change: Change;
  readonly actor: Actor;
  readonly reason: string;
  readonly origin: Origin;
  readonly stands: {
    readonly percentThousandths: number;
    readonly state: StateName;
    readonly version: number;
  };
}

/** A change that was not made: by the rule book, or because the store was out of reach. */
export interface RefusedChange extends AskedChange {
  readonly code: RefusalCode | "store_unavailable";
}

/** Each call returns at once and never throws: what is written when, is the file's to see to. */
export interface Audit {
  refused(refused: RefusedChange): void;
  /** A change of this instance alone, while the store is out of reach. `stands`: as it stands with it. */
  madeLocally(made: AskedChange): void;
  annotated(name: string, version: number, annotation: Annotation): void;
}

export const noAudit: Audit = {
  refused: () => {},
  madeLocally: () => {},
  annotated: () => {},
};
