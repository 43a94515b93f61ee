/**
 * What is to be done about what stands in Redis for one cutover. PURE.
 *
 *   base     the later of the store's last accepted state and the caller's last good one; neither: the initial state
 *   restore  the store's accepted state is missing, older than the caller's, or does not read: give the base back.
 *            The visible hash is given back with it when it is gone, or shows nothing but the older state itself (a
 *            backup was restored), so that old figures are not taken for a hand edit
 *   adopt    the visible hash differs from the base by a step that is allowed by hand (by-hand.ts)
 *   settled  otherwise: the base is the state, and what was written by hand and is not followed is named
 */
import { type RawFields, type RejectedField, readByHand } from "./by-hand.ts";
import type { Lineage } from "./lineage.ts";
import { type CutoverState, initialState, type Routing } from "./model.ts";

/** What stands in the store, as read in one moment. */
export interface View {
  /** The server's clock in ms since the epoch when it was read, and this process's monotonic clock just after. */
  readonly serverMs: number;
  readonly receivedAtMs: number;
  /** The visible hash: whether its key is of another kind, whether any of its fields is there, the routing fields. */
  readonly visible: {
    readonly wrongType: boolean;
    readonly present: boolean;
    readonly raw: RawFields;
    readonly digest: string;
  };
  /** The last accepted state; `broken`: there is something, but not a state. */
  readonly accepted: {
    readonly state: CutoverState | undefined;
    readonly broken: boolean;
    readonly digest: string;
  };
  readonly lineage: Lineage;
}

export type Verdict =
  | {
      readonly kind: "settled";
      readonly state: CutoverState;
      readonly rejected: readonly (RejectedField | "type")[];
    }
  | { readonly kind: "adopt"; readonly routing: Routing; readonly rejected: readonly RejectedField[] }
  | {
      readonly kind: "restore";
      /** Without one, the accepted state that does not read is removed. */
      readonly state: CutoverState | undefined;
      readonly show: boolean;
      /** Whether the state comes from the caller's last good one. */
      readonly given: boolean;
    };

export function judge(view: View, lastGood: CutoverState | undefined): Verdict {
  const { visible, accepted } = view;
  const stored = accepted.state;
  const given = lastGood !== undefined && lastGood.version > (stored?.version ?? 0);
  const base = given ? lastGood : stored;
  const isGone = !visible.wrongType && !visible.present;

  if (given) {
    const showsStored = stored !== undefined && !visible.wrongType && shows(visible.raw, stored);
    return { kind: "restore", state: base, show: isGone || showsStored, given };
  }
  if (base === undefined && accepted.broken) {
    return { kind: "restore", state: undefined, show: false, given };
  }
  if (base !== undefined && isGone) return { kind: "restore", state: base, show: true, given };

  const state = base ?? initialState();
  if (visible.wrongType) return { kind: "settled", state, rejected: ["type"] };
  const { routing, differs, rejected } = readByHand(state, visible.raw);
  return differs ? { kind: "adopt", routing, rejected } : { kind: "settled", state, rejected };
}

function shows(raw: RawFields, state: CutoverState): boolean {
  const { differs, rejected } = readByHand(state, raw);
  return !differs && rejected.length === 0;
}
