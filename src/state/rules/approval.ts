/**
 * Four eyes: what one person may not change alone, and by which proposal of another person it is made. PURE.
 *
 * Where a limit is given, these need an open proposal of another person for just this change and this version:
 *
 *   a raise   by more points than the limit, together with those that the same person has raised alone lately
 *   a close   always
 *
 * Smaller raises, and whatever lowers, need nobody else. What two people have made counts as neither's own; nor do the
 * steps of a plan, which somebody approved as a whole. A person who edits the store by hand meets no limit.
 */

/** A change that waits for another person. */
export interface Proposal {
  readonly id: string;
  /** Without it, a raise. */
  readonly action?: "set" | "close" | undefined;
  /** Of a close: although legacy has something under way. */
  readonly force?: boolean | undefined;
  /** The percent after it. */
  readonly percentThousandths: number;
  /** The version of the state it was made on: on another it is worth nothing. */
  readonly version: number;
  readonly by: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
  /** RFC 3339; from then on it is gone. */
  readonly expiresAt: string;
}

/** What a change is held against. */
export interface FourEyes {
  /** How far one person may raise alone. */
  readonly overThousandths: number;
  /** How far this one has raised alone lately. */
  readonly raisedThousandths?: number;
  /** The open proposal that is being approved. */
  readonly proposal?: Proposal | undefined;
}

interface Judged {
  readonly change: { readonly action: string; readonly percentThousandths?: number };
  readonly actor: { readonly name: string };
  readonly fourEyes?: FourEyes;
}

/** @returns the proposal a change is made by; `none`: it needs none and was given none that fits */
export function approvalOf(
  {
    percentThousandths,
    state,
    version,
  }: { readonly percentThousandths: number; readonly state: string; readonly version: number },
  { change, actor, fourEyes }: Judged,
): Proposal | "required" | "none" {
  if (fourEyes === undefined) return "none";
  const isClose = change.action === "close" && state !== "closed";
  const to = isClose ? percentThousandths : (change.percentThousandths ?? 0);
  const points = change.action === "set" ? to - percentThousandths : 0;
  if (!isClose && points <= 0) return "none";
  const { overThousandths, raisedThousandths = 0, proposal } = fourEyes;
  const fits =
    proposal !== undefined &&
    proposal.by !== actor.name &&
    (proposal.action === "close") === isClose &&
    proposal.percentThousandths === to &&
    proposal.version === version;
  if (fits) return proposal;
  return isClose || points + raisedThousandths > overThousandths ? "required" : "none";
}

/** Of the history, what tells who has raised how far. */
interface Raise {
  /** RFC 3339. */
  readonly at: string;
  readonly by: string;
  readonly action: string;
  readonly via?: string | undefined;
  readonly from: { readonly percentThousandths: number };
  readonly to: { readonly percentThousandths: number };
}

/**
 * How far somebody has raised alone since then, lowering in between or not.
 *
 * @param since RFC 3339 to the millisecond in UTC, as the history has it: such times are in order as texts
 */
export function raisedThousandthsBy(name: string, history: readonly Raise[], since: string): number {
  return history
    .filter(({ by, action, via, at }) => {
      return by === name && action === "set" && via !== "plan" && at >= since;
    })
    .reduce((sum, { from, to }) => sum + Math.max(0, to.percentThousandths - from.percentThousandths), 0);
}
