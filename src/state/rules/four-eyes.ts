/**
 * Four eyes. PURE. Where a limit is given, a raise by more than it needs an open proposal of another person for just
 * this percent and this version; it is then of both. Smaller raises, and whatever lowers, need nobody else. Who edits
 * the store by hand meets no limit.
 */
import type { CutoverState, Request } from "./model.ts";

/** A raise that waits for another person. */
export interface Proposal {
  readonly id: string;
  /** The percent it would raise to. */
  readonly percentThousandths: number;
  /** Of the state it was made on: on another it is worth nothing. */
  readonly version: number;
  readonly by: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
  /** RFC 3339; from then on it is gone. */
  readonly expiresAt: string;
}

/** How far one person may raise alone, and the open proposal that is being approved. */
export interface FourEyes {
  readonly overThousandths: number;
  readonly proposal?: Proposal | undefined;
}

/** @returns the proposal a raise is made by; `none`: it needs none and was given none that fits */
export function approvalOf(
  { percentThousandths, version }: CutoverState,
  { change, actor, fourEyes }: Pick<Request, "change" | "actor" | "fourEyes">,
): Proposal | "required" | "none" {
  if (fourEyes === undefined || change.action !== "set") return "none";
  const points = change.percentThousandths - percentThousandths;
  const { overThousandths, proposal } = fourEyes;
  if (points > 0 && proposal !== undefined && proposal.by !== actor.name) {
    const { percentThousandths: to, version: on } = proposal;
    if (to === change.percentThousandths && on === version) return proposal;
  }
  return points > 0 && points > overThousandths ? "required" : "none";
}
