/**
 * Rolling back and holding on one instance alone, while the store is out of reach. PURE.
 *
 * Such a change leaves a ceiling (model.ts): from then on this instance decides by whatever the store holds, lowered to
 * the ceiling, until the store has accepted the same ceiling (`reconciled`). `lowered` is one function for both, and it
 * takes the lower percent, the firmer latch and the higher pin epoch, whatever the order and however often. So nothing
 * raised elsewhere in the meantime undoes the change, several instances told the same agree, and what the instance
 * decides by does not move at the moment the store accepts.
 *
 *   judged      by the rule book, over the state in force here
 *   in force    at once, and after a restart: it stands in the snapshot file until the store has accepted it
 *   version     stays the store's; it advances when the store accepts
 *   closed      in the store: legacy is gone, there is nothing to go back to; the change is dropped and logged
 */
import { type Applied, type CutoverState, type Request, transition } from "./model.ts";
import { type Ceiling, cohortsIn, lowered, sameRouting } from "./routing.ts";

export const localActions = ["rollback", "rollback_hard", "hold"] as const;
export type LocalAction = (typeof localActions)[number];

export interface LocalChange {
  readonly id: string;
  readonly name: string;
  readonly action: LocalAction;
  readonly ceiling: Ceiling;
  /** The instance it was made on, by what a person finds it by: `NAME (ID)`, or its id where it has no name. */
  readonly instance: string;
  readonly by: string;
  /** RFC 3339, that instance's clock. */
  readonly at: string;
  readonly reason: string;
  /** The id of the request that asked for it. */
  readonly requestId?: string | undefined;
  /** How it stood there before. */
  readonly from: Pick<CutoverState, "percentThousandths" | "state" | "version">;
}

export interface LocalRequest extends Omit<Request, "change"> {
  readonly name: string;
  readonly action: LocalAction;
  readonly requestId?: string | undefined;
}

export interface Judged {
  readonly applied: Applied;
  /** What is to be remembered; `undefined` when it was refused, or a pending change asks for as much already. */
  readonly made: LocalChange | undefined;
}

/**
 * @param store the last good state of the store, with a percent for each cohort
 * @param pending the changes of this cutover that the store has not accepted yet
 */
export function judgeLocally(
  store: CutoverState,
  pending: readonly LocalChange[],
  request: LocalRequest,
  origin: Pick<LocalChange, "id" | "instance">,
): Judged {
  const before = inForce(store, pending);
  const { name, action, requestId, ...rest } = request;
  const verdict = transition(before, { ...rest, change: { action } });
  if (!verdict.accepted) {
    return { applied: { accepted: false, code: verdict.code, state: before }, made: undefined };
  }
  const { percentThousandths, cohorts, state, pinEpoch } = verdict.next;
  if (state !== "held" && state !== "rolled_back") throw new Error(`${action} left the state ${state}`);
  const change: LocalChange = {
    ...origin,
    name,
    action,
    ceiling: { percentThousandths, ...cohortsIn(cohorts), state, pinEpoch },
    by: request.actor.name,
    at: request.at,
    reason: request.reason,
    ...(requestId === undefined ? {} : { requestId }),
    from: { percentThousandths: before.percentThousandths, state: before.state, version: before.version },
  };
  // Even where it changes nothing here it is remembered: the fleet may stand elsewhere than this instance knows.
  const isAsked = pending.some(({ ceiling }) => sameRouting(lowered(ceiling, change.ceiling), ceiling));
  const made = isAsked ? undefined : change;
  const after = made === undefined ? before : inForce(store, [...pending, made]);
  return { applied: { accepted: true, changed: verdict.changed, state: after }, made };
}

/** What an instance decides by: the store's state, lowered to every change it has not accepted yet. */
export function inForce(store: CutoverState, pending: readonly LocalChange[]): CutoverState {
  return pending.reduce((state, { ceiling, at, by, reason }) => {
    const routing = lowered(state, ceiling);
    if (sameRouting(routing, state)) return state;
    return {
      ...routing,
      version: store.version,
      updatedAt: at,
      updatedBy: by,
      reason,
    };
  }, store);
}

/** Whether the state asks for all that the change asks for. */
export function covers(state: CutoverState, { ceiling }: LocalChange): boolean {
  return sameRouting(lowered(state, ceiling), state);
}

/** The reason the history gives for a reconciled change: what was done where, and the responder's own words. */
export function reconciledReason({ action, instance, at, reason }: LocalChange): string {
  const what = { rollback: "rolled back", rollback_hard: "rolled back hard", hold: "held" }[action];
  return `${what} on instance ${instance} alone at ${at}${reason === "" ? "" : `: ${reason}`}`;
}
