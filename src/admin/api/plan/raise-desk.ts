/** What the API asks of whoever knows the windows, the freeze and the plans of this instance. */
import type { Role } from "../../../state/rules/model.ts";
import type { PlanDesk } from "./plan-view.ts";
import type { RaiseView, ScheduledView } from "./raise-view.ts";
import type { ReturnDesk } from "./return-view.ts";

/** What is against a raise now, by a window or a freeze. Moments in ms since the epoch. */
interface AgainstRaise {
  readonly window: { readonly untilMs: number; readonly reason: string } | undefined;
  readonly freeze: FreezeInForce | undefined;
}

interface FreezeInForce {
  readonly untilMs: number;
  readonly reason: string;
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
}

interface FreezeEvent {
  readonly event: "frozen" | "lifted";
  /** RFC 3339. */
  readonly at: string;
  readonly by: string;
  readonly reason: string;
  readonly untilMs?: number | undefined;
}

interface FreezeAsked {
  readonly by: string;
  readonly role: Role;
  readonly reason: string;
}

/** `forbidden`: the role may not end it sooner. `changed`: false where it stood so. */
type Frozen = { readonly kind: "forbidden" } | { readonly kind: "done"; readonly changed: boolean };

export interface RaiseDesk {
  /** Reads what is shown of all cutovers. Never rejects. */
  read(): Promise<void>;
  /** As of the last reading. */
  known(name: string): RaiseView;
  /** @param atMs since the epoch; now, without it @throws StoreUnavailable */
  against(name: string, atMs?: number): Promise<AgainstRaise>;
  /** The freeze in force, and what has happened of freezes, newest first. @throws StoreUnavailable */
  frozen(): Promise<{ readonly freeze: FreezeInForce | undefined; readonly events: readonly FreezeEvent[] }>;
  /** @throws StoreUnavailable */
  freeze(asked: FreezeAsked & { readonly untilMs: number }): Promise<Frozen>;
  /** @throws StoreUnavailable */
  lift(asked: FreezeAsked): Promise<Frozen>;
}

/** What is to be set at a time. Each call throws StoreUnavailable. */
interface ScheduleDesk {
  /** What waits by its time, then what is over, newest first. */
  list(name: string): Promise<readonly ScheduledView[]>;
  /** @returns `undefined`: as many wait as may */
  add(name: string, asked: ScheduleAsked): Promise<ScheduledView | undefined>;
  /** @returns what was cancelled; `undefined`: it waits no more, or never did */
  cancel(name: string, id: string, by: string): Promise<ScheduledView | undefined>;
}

interface ScheduleAsked {
  readonly percentThousandths: number;
  readonly cohort?: string | undefined;
  /** ms since the epoch. */
  readonly dueMs: number;
  /** Who asks for it, and who approved that. */
  readonly by: string;
  readonly reason: string;
  readonly requestId: string;
  readonly override?: boolean | undefined;
}

/** Plans, and what is against a raise by whoever makes it. */
export interface PlansDesk extends PlanDesk {
  readonly raises: RaiseDesk;
  readonly returns: ReturnDesk;
  readonly schedule: ScheduleDesk;
}
