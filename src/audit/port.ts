/** What is written into the audit file besides the changes that stand in the history. */
import type { Proposal } from "../state/rules/approval.ts";
import type { Annotation, Origin, Via } from "../state/rules/history.ts";
import type { Actor, Change, RefusalCode, Side, StateName } from "../state/rules/model.ts";
import type { OrderCode } from "../state/rules/order/after.ts";

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

/**
 * A change that was not made: by the rule book, for what legacy has, for another cutover's sake, in a window or a freeze, or
 * for want of the store.
 */
export interface RefusedChange extends AskedChange {
  readonly code:
    | RefusalCode
    | OrderCode
    | "under_way"
    | "cohort_on_legacy"
    | "in_window"
    | "frozen"
    | "store_unavailable";
}

/** A request that would have changed something and was turned away before the rule book saw it. */
export interface TurnedAway {
  /** The call, as the API's description names it: `PUT /api/v1/cutovers/:name/percent`; `null`: none it has. */
  readonly call: string | null;
  /** The cutover's name, where it is about one that is configured. */
  readonly name: string | null;
  /** Whose credentials came with it, as far as that is known. */
  readonly actor: Actor | null;
  readonly via: Via;
  readonly code: string;
  readonly why: string;
  /** The origin of the web page that sent it. */
  readonly page: string | null;
  readonly requestId: string;
}

/** What became of a raise or a close that needs a second person. */
export interface ProposalEvent {
  readonly event: "proposed" | "approved" | "withdrawn" | "expired";
  /** The cutover's name. */
  readonly name: string;
  readonly proposal: Pick<
    Proposal,
    | "id"
    | "action"
    | "plan"
    | "cohort"
    | "force"
    | "override"
    | "dueAt"
    | "percentThousandths"
    | "version"
    | "by"
    | "reason"
    | "expiresAt"
  >;
  /** Whose doing it was; nobody's when it expired. */
  readonly actor: Actor | null;
  readonly origin: Origin | null;
  /** The id of the one whose place it took. */
  readonly replaces?: string | undefined;
}

/** The owner of a key was put right by a person, or is to be once another one asks for it. */
export interface OwnerEvent {
  readonly event: "proposed" | "set" | "released";
  /** The cutover's name. */
  readonly name: string;
  readonly key: string;
  /** Null: nobody. */
  readonly side: Side | null;
  readonly before: Side | null;
  readonly actor: Actor;
  readonly origin: Origin;
  readonly reason: string;
  readonly force: boolean;
  readonly proposedBy: string | undefined;
}

/** A person has settled what was in doubt. */
export interface DoubtEvent {
  /** The cutover's name. */
  readonly name: string;
  /** Of the key. */
  readonly digest: string;
  /** So many requests. */
  readonly settled: number;
  readonly actor: Actor;
  readonly origin: Origin;
  readonly reason: string;
}

/** A list was changed, or is to be once another person asks for the same. */
export interface ListEvent {
  readonly event: "proposed" | "changed";
  readonly list: string;
  /** As many as were asked for. */
  readonly added: number;
  readonly removed: number;
  readonly actor: Actor;
  readonly origin: Origin;
  readonly reason: string;
  readonly proposedBy: string | undefined;
}

/** A plan was started or paused by a person, or has become another one by itself. Its steps are changes like others. */
export interface PlanEvent {
  readonly event: "started" | "paused" | "became";
  /** The cutover's name. */
  readonly name: string;
  readonly actor: Actor;
  readonly reason: string;
  readonly origin: Origin;
}

/** Everything was frozen until then, or that was lifted. */
export interface FreezeEvent {
  readonly event: "frozen" | "lifted";
  /** RFC 3339; null: it was lifted. */
  readonly until: string | null;
  readonly actor: Actor;
  readonly reason: string;
  readonly origin: Origin;
}

/** A percent is to be set at a time, or is not any more, or that has become of it. */
export interface ScheduleEvent {
  readonly event: "scheduled" | "cancelled" | "made" | "refused" | "missed";
  /** The cutover's name. */
  readonly name: string;
  readonly id: string;
  readonly percent: number;
  readonly cohort: string | undefined;
  /** RFC 3339. */
  readonly due: string;
  readonly scheduledBy: string;
  readonly actor: Actor;
  readonly reason: string;
  readonly origin: Origin;
}

/** Each call returns at once and never throws: what is written when, is the file's to see to. */
export interface Audit {
  refused(refused: RefusedChange): void;
  turnedAway(turned: TurnedAway): void;
  /** A change of this instance alone, while the store is out of reach. `stands`: as it stands with it. */
  madeLocally(made: AskedChange): void;
  annotated(name: string, version: number, annotation: Annotation): void;
  proposal(event: ProposalEvent): void;
  owner(event: OwnerEvent): void;
  doubt(event: DoubtEvent): void;
  list(event: ListEvent): void;
  plan(event: PlanEvent): void;
  freeze(event: FreezeEvent): void;
  schedule(event: ScheduleEvent): void;
}

export const noAudit: Audit = {
  refused: () => {},
  turnedAway: () => {},
  madeLocally: () => {},
  annotated: () => {},
  proposal: () => {},
  owner: () => {},
  doubt: () => {},
  list: () => {},
  plan: () => {},
  freeze: () => {},
  schedule: () => {},
};
