/**
 * What a person wrote into the store by hand, held against the last accepted state. PURE.
 *
 * Field by field: a missing field and one that does not read as its kind keep the accepted value, the latter
 * reported as rejected. What then differs from the accepted state must be a step the rule book allows an admin:
 *
 *   - to `rolled_back`: always, from open or held; percent becomes 0 whatever was written beside it
 *   - out of `rolled_back` only by writing `open`; a bare percent above 0 is rejected
 *   - a raise into or within `held`, and anything while `closed`, is rejected
 *   - `closed` only from open at 100
 *   - `pin_epoch` only upward
 *
 * `version`, `updated_at`, `updated_by` and `reason` are the system's bookkeeping and are not read back.
 */
import { type CutoverState, type Routing, type StateName, sameRouting, stateNames } from "./model.ts";
import { maxThousandths, parsePercent } from "./percent.ts";

/** Redis hash fields as text; absent = not in the hash. */
export type RawFields = Readonly<Partial<Record<"percent" | "state" | "pin_epoch", string>>>;

export const rejectedFields = ["percent", "state", "pin_epoch"] as const;
export type RejectedField = (typeof rejectedFields)[number];

export interface Reading {
  /** Where requests go by this reading; equal to the accepted state when nothing valid differs. */
  readonly routing: Routing;
  readonly differs: boolean;
  readonly rejected: readonly RejectedField[];
}

export function readByHand(accepted: CutoverState, raw: RawFields): Reading {
  const rejected: RejectedField[] = [];
  const reject = (field: RejectedField) => {
    if (!rejected.includes(field)) rejected.push(field);
  };

  let percentThousandths = accepted.percentThousandths;
  if (raw.percent !== undefined) {
    const parsed = parsePercent(raw.percent);
    if (parsed === undefined) reject("percent");
    else percentThousandths = parsed;
  }

  let state: StateName = accepted.state;
  if (raw.state !== undefined) {
    const known = stateNames.find((name) => name === raw.state);
    if (known === undefined) reject("state");
    else state = known;
  }

  let pinEpoch = accepted.pinEpoch;
  // The accepted epoch itself is never rejected, however long it has grown.
  if (raw.pin_epoch !== undefined && raw.pin_epoch !== String(accepted.pinEpoch)) {
    const parsed = /^(?:0|[1-9]\d{0,14})$/.test(raw.pin_epoch) ? Number(raw.pin_epoch) : undefined;
    if (parsed === undefined || parsed < accepted.pinEpoch) reject("pin_epoch");
    else pinEpoch = parsed;
  }

  if (accepted.state === "closed") {
    if (state !== "closed") reject("state");
    if (percentThousandths !== accepted.percentThousandths) reject("percent");
    if (pinEpoch !== accepted.pinEpoch) reject("pin_epoch");
    return { routing: accepted, differs: false, rejected };
  }
  if (state === "closed" && (accepted.state !== "open" || percentThousandths !== maxThousandths)) {
    reject("state");
    state = accepted.state;
  }
  if (state === "held" && accepted.state === "rolled_back") {
    reject("state");
    state = accepted.state;
  }
  if (state === "rolled_back") {
    if (accepted.state === "rolled_back" && percentThousandths !== 0) reject("percent");
    percentThousandths = 0;
  } else if (state === "held" && percentThousandths > accepted.percentThousandths) {
    reject("percent");
    percentThousandths = accepted.percentThousandths;
  }

  const routing: Routing = { percentThousandths, state, pinEpoch };
  return { routing, differs: !sameRouting(accepted, routing), rejected };
}
