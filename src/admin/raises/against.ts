/**
 * Windows and freezes hold people, too: in a window nothing is raised, in a freeze nothing raised or closed. Whoever has to
 * do it all the same overrides it, with the reason that a raise has anyway; where large raises need a second person, an
 * overriding one does whatever its size. What lowers, holds or rolls back is never asked.
 */
import { errorText } from "../../base/log.ts";
import { type CutoverState, transition } from "../../state/rules/model.ts";
import type { Command } from "../../state/store/port.ts";
import { frozenText } from "../api/plan/raise-view.ts";
import type { AgainstCode } from "../api/rules.ts";
import type { AdminContext } from "../context.ts";
import { currentOf, Refused } from "../problem.ts";
import type { Views } from "../view.ts";

type AskedRaise = Pick<Command, "name" | "change" | "actor" | "reason" | "origin" | "ifVersion">;

interface Against {
  readonly code: AgainstCode;
  /** `in a window until 2025-03-01T14:00:00.000Z: weekend`. */
  readonly text: string;
  readonly refused: Refused;
}

/** @returns what is against the change now; `undefined`: nothing, or the rule book refuses it anyway. @throws StoreUnavailable */
export function createAgainst({ plans, follower }: Pick<AdminContext, "plans" | "follower">, views: Views) {
  return async ({ name, change, actor, ifVersion }: AskedRaise): Promise<Against | undefined> => {
    const { action } = change;
    if (action !== "close" && (action !== "set" || change.percentThousandths === 0)) return undefined;
    // By what stands in the store: where somebody has just lowered it, a lower may have become a raise.
    await follower.refresh();
    const stands = views.state(name);
    const judge = (role: typeof actor.role) =>
      transition(stands, {
        change,
        actor: { ...actor, role },
        reason: "",
        at: "",
        ...(ifVersion === undefined ? {} : { ifVersion }),
      });
    const judged = judge(actor.role);
    if (!judged.accepted || !judged.changed) return undefined;
    // What a responder may do is no raise.
    if (action === "set" && judge("responder").accepted) return undefined;
    const found = await plans.raises.against(name);
    return againstOf(action === "close" ? { ...found, window: undefined } : found, stands);
  };
}

/** @returns why a raise at a moment to come is refused now already */
export function refusedThen(found: Found, stands: CutoverState): Refused | undefined {
  return againstOf(found, stands)?.refused;
}

type Found = Awaited<ReturnType<AdminContext["plans"]["raises"]["against"]>>;

function againstOf({ window, freeze }: Found, stands: CutoverState): Against | undefined {
  const told = (code: AgainstCode, text: string, detail: string, untilMs: number): Against => {
    const extras = { current: currentOf(stands), until: isoOf(untilMs) };
    return { code, text, refused: new Refused(code, detail, { extras }) };
  };
  if (freeze !== undefined) {
    const text = frozenText({ ...freeze, until: isoOf(freeze.untilMs) });
    return told("frozen", text, `${text}: wait, lift it, or override it`, freeze.untilMs);
  }
  if (window === undefined) return undefined;
  const text = `in a window until ${isoOf(window.untilMs)}: ${window.reason}`;
  return told("in_window", text, `nothing is raised ${text}; wait, or override it`, window.untilMs);
}

/** Says in the history and the audit file what was overridden. Never rejects. */
export async function tellOverridden(
  { store, audit, log }: Pick<AdminContext, "store" | "audit" | "log">,
  { name, actor, origin }: AskedRaise & { readonly origin: NonNullable<Command["origin"]> },
  version: number,
  { code, text }: Against,
): Promise<void> {
  log.warn({ cutover: name, by: actor.name, version, code }, "a raise has overridden what was against it");
  const said = { name, version, by: actor.name, reason: `overridden: ${text}`, ...origin };
  try {
    const annotation = await store.annotate(said);
    if (annotation !== undefined) audit.annotated(name, version, annotation);
  } catch (error) {
    log.warn({ problem: errorText(error) }, "the history lacks a remark");
  }
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
