/** What the guard does about its judgement: a change like any other, in its own name. */
import { errorText, type Log } from "../../base/log.ts";
import type { LocalWrites } from "../../state/follow/local-changes.ts";
import { byGuard } from "../../state/rules/history.ts";
import type { Fence } from "../../state/rules/leases/lease.ts";
import type { Actor, CutoverState } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import type { GuardAction, Judgement } from "../verdict/verdict.ts";

export const guardActor = { name: byGuard, role: "responder" } as const satisfies Actor;

export interface Acting {
  /** The cutover's name. */
  readonly name: string;
  readonly store: Pick<Store, "apply">;
  readonly local: Pick<LocalWrites, "makeLocally">;
  readonly log: Log;
  readonly onActed: (action: GuardAction, state: CutoverState, isLocal: boolean, reason: string) => void;
}

/** `nothing`: what was judged has changed, or refuses it. `fenced`: somebody else leads. */
type Outcome = "done" | "nothing" | "fenced";

/** As the API takes reasons. */
const longestReason = 500;

export function isJudged({ state, percentThousandths, cohorts = {} }: CutoverState): boolean {
  const isOnNew = percentThousandths > 0 || Object.values(cohorts).some((percent) => percent > 0);
  return (state === "open" || state === "held") && isOnNew;
}

/** What the guard has rolled back stays judged as it was then, until somebody resumes it; `undefined`: it has not. */
export function latchedJudgement({ state, updatedBy, reason }: CutoverState): Judgement | undefined {
  if (state !== "rolled_back" || updatedBy !== guardActor.name) return undefined;
  return { verdict: "worse", action: "rollback", because: [], sentence: reason };
}

/** Whether what was judged is what was rolled back for. */
export function isRolledBack(judged: Pick<Judgement, "verdict" | "action"> | undefined): boolean {
  return judged?.verdict === "worse" && judged.action === "rollback";
}

/** A hold is asked for once, a rollback also of what is held. An alert is said by the verdict's own line. */
export function isToBeDone(
  action: GuardAction | undefined,
  { state }: CutoverState,
): action is "rollback" | "hold" {
  return action === "rollback" || (action === "hold" && state === "open");
}

/** Through the store, only on the version that was judged; on this instance alone where the store does not answer. */
export async function actInStore(
  acting: Acting,
  action: "rollback" | "hold",
  { sentence }: Judgement,
  { version }: CutoverState,
  fence: Fence,
): Promise<Outcome> {
  const { name, store, log, onActed } = acting;
  const reason = sentence.slice(0, longestReason);
  const origin = { via: "guard" } as const;
  try {
    const asked = { name, actor: guardActor, reason, origin, change: { action }, ifVersion: version, fence };
    const applied = await store.apply(asked);
    if (!applied.accepted) {
      log.info({ cutover: name, action, code: applied.code }, "the guard's action was refused");
      return applied.code === "fenced" ? "fenced" : "nothing";
    }
    if (applied.changed) onActed(action, applied.state, false, reason);
    return "done";
  } catch (error) {
    log.warn({ cutover: name, action, error: errorText(error) }, "the guard acts on this instance alone");
    return actHere(acting, action, { sentence });
  }
}

export function actHere(
  { name, local, onActed }: Omit<Acting, "store">,
  action: "rollback" | "hold",
  { sentence }: Pick<Judgement, "sentence">,
): "done" | "nothing" {
  const reason = sentence.slice(0, longestReason);
  const applied = local.makeLocally({ name, actor: guardActor, reason, action });
  if (!applied.accepted) return "nothing";
  if (applied.changed) onActed(action, applied.state, true, reason);
  return "done";
}
