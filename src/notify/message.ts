/**
 * What is told to whom is not looking: which changes of a cutover are news, and how a message reads. PURE.
 *
 * A message's id follows from the cutover, its version and what has happened, so whoever tells it tells the same: a
 * receiver that has had the id knows all of it.
 */
import type { Config } from "../config/schema.ts";
import type { CutoverState } from "../state/rules/model.ts";
import { percentToNumber } from "../state/rules/percent.ts";

export type NoticeKind = Config["webhooks"][number]["events"][number];

/** JSON, in this order of keys; keys may be added. */
export interface Message {
  readonly type: `cutover.${NoticeKind}`;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly data: {
    readonly id: string;
    readonly cutover: string;
    readonly version: number;
    /** Where it stood before; null: that is not known, or it has not changed. */
    readonly from: Standing | null;
    readonly to: Standing;
    readonly by: string;
    readonly reason: string;
    /** `local`: on one instance alone, which is told without the store. */
    readonly scope: "fleet" | "local";
  };
}

interface Standing {
  readonly percent: number;
  readonly state: string;
}

/** Whose changes are steps of a plan. */
const planActor = "plan";

/**
 * @param before the state that this instance has decided by
 * @returns what of the change is news; nothing where it is not known what was before
 */
export function newsIn(before: CutoverState, now: CutoverState): NoticeKind | undefined {
  if (before.version === 0 && now.version > 1) return undefined;
  const isRolledBack = before.state !== "rolled_back" || now.pinEpoch > before.pinEpoch;
  if (now.state === "rolled_back") return isRolledBack ? "rollback" : undefined;
  if (now.state === "held" && before.state !== "held") return "hold";
  if (now.percentThousandths > before.percentThousandths || raisesCohort(before, now))
    return now.updatedBy === planActor ? "advance" : "raise";
  return undefined;
}

function raisesCohort({ cohorts: before = {} }: CutoverState, { cohorts = {} }: CutoverState): boolean {
  return Object.entries(cohorts).some(([name, percent]) => percent > (before[name] ?? percent));
}

interface Told {
  readonly cutover: string;
  readonly kind: NoticeKind;
  readonly from?: CutoverState;
  readonly to: CutoverState;
  /** RFC 3339; without it, when the state was changed. */
  readonly at?: string;
  /** Without it, whose change the state is, and why. */
  readonly by?: string;
  readonly reason?: string;
  readonly scope?: Message["data"]["scope"];
  /** What tells two of a kind and version apart. */
  readonly which?: string;
}

export function messageOf({ cutover, kind, from, to, scope = "fleet", which, ...told }: Told): Message {
  const { version, updatedAt, updatedBy, reason } = to;
  const id = ["cutover", cutover, version, kind, ...(which === undefined ? [] : [which])].join("_");
  const standing = ({ percentThousandths, state }: CutoverState) => ({
    percent: percentToNumber(percentThousandths),
    state,
  });
  return {
    type: `cutover.${kind}`,
    timestamp: told.at ?? updatedAt,
    data: {
      id,
      cutover,
      version,
      from: from === undefined ? null : standing(from),
      to: standing(to),
      by: told.by ?? updatedBy,
      reason: told.reason ?? reason,
      scope,
    },
  };
}

const titles: Readonly<Record<NoticeKind, string>> = {
  rollback: "ROLLED BACK",
  hold: "held",
  advance: "next step of its plan",
  raise: "raised",
  proposal: "waits for another person",
  deadline_at_risk: "the deadline is at risk",
  guard_blind: "the guard is blind",
};

/** One text for a channel, in Slack's words: `checkout: ROLLED BACK, 10% → 0% on new, by guard: new fails 4.1%`. */
export function chatText(kind: NoticeKind, { data }: Message): string {
  const { cutover, version, from, to, by, reason, scope } = data;
  const moved =
    from === null || from.percent === to.percent ? `${to.percent}%` : `${from.percent}% → ${to.percent}%`;
  const where = scope === "local" ? ", on one instance alone" : "";
  const why = reason === "" ? "" : `: ${reason}`;
  return escaped(`${cutover}: ${titles[kind]}${where}, ${moved} on new, by ${by}${why} (version ${version})`);
}

/** A reason must not become a mention or a link (https://docs.slack.dev/messaging/formatting-message-text). */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
