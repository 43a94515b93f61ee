/**
 * What a person wrote into the store by hand, and what is to be done about what stands in Redis for one cutover. PURE.
 *
 * `readByHand` holds what was written against the last accepted state. Values are read as a person means them: white space
 * and quotes around them, a percent sign, leading zeros and capitals do not matter. Field by field: a missing field and one that does
 * not read as its kind keep the accepted value, the latter reported as rejected. What then differs from the accepted state
 * must be a step the rule book allows an admin:
 *
 *   - to `rolled_back`: always, from open or held; percent becomes 0 whatever was written beside it
 *   - out of `rolled_back` only by writing `open`; a bare percent above 0 is rejected
 *   - a raise into or within `held`, and anything while `closed`, is rejected; of a cohort's percent, too
 *   - `closed` only from open at 100
 *   - `pin_epoch` only upward
 *   - `maintenance` (sides/maintenance.ts) in every state; nothing or `off` ends it
 *
 * `version`, `updated_at`, `updated_by` and `reason` are the system's bookkeeping and are not read back.
 *
 * `judgeHandEdit` says what follows from it:
 *
 *   base     the later of the store's last accepted state and the caller's last good one; neither: the initial state
 *   restore  the store's accepted state is missing, older than the caller's, or does not read: give the base back.
 *            The visible hash is given back with it when it is gone, or shows nothing but the older state itself (a
 *            backup was restored), so that old figures are not taken for a hand edit. Or it is half rolled back, by a
 *            program that knows of no cohorts: their percents are 0 then, and shown so
 *   adopt    the visible hash differs from the base by a step that is allowed by hand
 *   settled  otherwise: the base is the state, and what was written by hand and is not followed is named
 */
import type { Lineage } from "./lineage.ts";
import { type CutoverState, initialState, type StateName, stateNames } from "./model.ts";
import {
  type CohortPercents,
  cohortPercent,
  maxThousandths,
  parsePercent,
  withStarts,
  zeroCohorts,
} from "./percent.ts";
import { cohortsIn, type Routing, sameRouting } from "./routing.ts";
import { maintenancePart, typedMaintenance } from "./sides/maintenance.ts";

/** Of a cohort's percent: `percent:jakarta`. */
const cohortField = "percent:";

/** Redis hash fields as text; absent = not in the hash. Of cohorts those that the configuration or the state has. */
export type RawFields = Readonly<
  Partial<
    Record<"percent" | "state" | "pin_epoch" | "maintenance" | `${typeof cohortField}${string}`, string>
  >
>;

export type RejectedField = keyof RawFields;

interface Reading {
  /** Where requests go by this reading; equal to the accepted state when nothing valid differs. */
  readonly routing: Routing;
  readonly differs: boolean;
  readonly rejected: readonly RejectedField[];
}

/** @param accepted with a percent for each cohort */
export function readByHand(accepted: CutoverState, raw: RawFields): Reading {
  const rejected: RejectedField[] = [];
  const reject = (field: RejectedField) => {
    if (!rejected.includes(field)) rejected.push(field);
  };

  let percentThousandths = accepted.percentThousandths;
  if (raw.percent !== undefined) {
    const parsed = parsePercent(typedPercent(raw.percent));
    if (parsed === undefined) reject("percent");
    else percentThousandths = parsed;
  }

  const typedCohorts = cohortsByHand(accepted.cohorts ?? {}, raw, reject);
  let state: StateName = accepted.state;
  if (raw.state !== undefined) {
    const typed = typedState(raw.state);
    const known = stateNames.find((name) => name === typed);
    if (known === undefined) reject("state");
    else state = known;
  }

  let pinEpoch = accepted.pinEpoch;
  // The accepted epoch itself is never rejected, however long it has grown.
  const epoch = raw.pin_epoch === undefined ? undefined : withoutZeros(typed(raw.pin_epoch));
  if (epoch !== undefined && epoch !== String(accepted.pinEpoch)) {
    const parsed = /^(?:0|[1-9]\d{0,14})$/.test(epoch) ? Number(epoch) : undefined;
    if (parsed === undefined || parsed < accepted.pinEpoch) reject("pin_epoch");
    else pinEpoch = parsed;
  }

  let maintenance = accepted.maintenance ?? "";
  if (raw.maintenance !== undefined) {
    const { maintenance: text } = raw;
    const read = text.length < longest ? typedMaintenance(typed(text)) : undefined;
    if (read === undefined) reject("maintenance");
    else maintenance = read;
  }

  if (accepted.state === "closed") {
    if (state !== "closed") reject("state");
    if (percentThousandths !== accepted.percentThousandths) reject("percent");
    keptCohorts(typedCohorts, accepted.cohorts ?? {}, reject);
    if (pinEpoch !== accepted.pinEpoch) reject("pin_epoch");
    const routing: Routing = {
      percentThousandths: accepted.percentThousandths,
      ...cohortsIn(accepted.cohorts),
      state: accepted.state,
      pinEpoch: accepted.pinEpoch,
      ...maintenancePart(maintenance),
    };
    return { routing, differs: !sameRouting(accepted, routing), rejected };
  }
  if (state === "closed" && (accepted.state !== "open" || percentThousandths !== maxThousandths)) {
    reject("state");
    state = accepted.state;
  }
  if (state === "held" && accepted.state === "rolled_back") {
    reject("state");
    state = accepted.state;
  }
  let cohorts = typedCohorts;
  if (state === "rolled_back") {
    if (accepted.state === "rolled_back") {
      if (percentThousandths !== 0) reject("percent");
      keptCohorts(cohorts, zeroCohorts(cohorts), reject);
    }
    percentThousandths = 0;
    cohorts = zeroCohorts(cohorts);
  } else if (state === "held") {
    if (percentThousandths > accepted.percentThousandths) reject("percent");
    percentThousandths = Math.min(percentThousandths, accepted.percentThousandths);
    cohorts = loweredOnly(cohorts, accepted.cohorts ?? {}, reject);
  }

  const routing: Routing = {
    percentThousandths,
    ...cohortsIn(cohorts),
    ...{ state, pinEpoch },
    ...maintenancePart(maintenance),
  };
  return { routing, differs: !sameRouting(accepted, routing), rejected };
}

type Reject = (field: RejectedField) => void;

/** Each cohort's percent as it was written, or as it was accepted where nothing was, or none. */
function cohortsByHand(accepted: CohortPercents, raw: RawFields, reject: Reject): CohortPercents {
  const written = Object.keys(accepted).map((name): [string, number] => {
    const field = `${cohortField}${name}` as const;
    const stands = accepted[name] ?? 0;
    const text = raw[field];
    if (text === undefined) return [name, stands];
    const parsed = parsePercent(typedPercent(text));
    if (parsed === undefined) reject(field);
    return [name, parsed ?? stands];
  });
  return Object.fromEntries(written);
}

/** Rejects each that is not as it is to be. */
function keptCohorts(written: CohortPercents, kept: CohortPercents, reject: Reject): void {
  for (const [name, percent] of Object.entries(written)) {
    if (percent !== cohortPercent(kept, name)) reject(`${cohortField}${name}`);
  }
}

function loweredOnly(written: CohortPercents, accepted: CohortPercents, reject: Reject): CohortPercents {
  const lower = Object.entries(written).map(([name, percent]): [string, number] => {
    const stands = cohortPercent(accepted, name) ?? 0;
    if (percent > stands) reject(`${cohortField}${name}`);
    return [name, Math.min(percent, stands)];
  });
  return Object.fromEntries(lower);
}

/** What is read of a value ends here: a longer one is nothing a person has meant. */
const longest = 64;

/** Without what a shell, a clipboard or a habit has put around it: white space, quotes. */
function typed(text: string): string {
  if (text.length >= longest) return "";
  const bare = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  const [, , inner] = /^(["'])(.*)\1$/s.exec(bare) ?? [];
  return inner ?? bare;
}

function withoutZeros(text: string): string {
  return text.replace(/^0+(?=\d)/, "");
}

/** `0%`, `00`, ` 5 %` are a percent to whoever types them. */
function typedPercent(text: string): string {
  return withoutZeros(typed(text).replace(/[ \t]*%$/, ""));
}

/** `ROLLED_BACK`, `held `, `rolled back` are a state to whoever types them. */
function typedState(text: string): string {
  return typed(text).toLowerCase().replace(/[ -]/g, "_");
}

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
    /** Whether an older program rolled it back, which knows nothing of its cohorts and left them where they stood. */
    readonly isHalf?: boolean;
    readonly digest: string;
  };
  readonly lineage: Lineage;
}

export type HandEditVerdict =
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

/** @param starts where the cohorts begin that the state does not know, by the configuration */
export function judgeHandEdit(
  view: View,
  lastGood: CutoverState | undefined,
  starts?: CohortPercents,
): HandEditVerdict {
  const { visible, accepted } = view;
  const stored = accepted.state;
  const given = lastGood !== undefined && lastGood.version > (stored?.version ?? 0);
  const base = given ? lastGood : stored;
  const isGone = !visible.wrongType && !visible.present;

  if (given) {
    const showsStored =
      stored !== undefined && !visible.wrongType && shows(visible.raw, withStarts(stored, starts));
    return { kind: "restore", state: base, show: isGone || showsStored, given };
  }
  if (base === undefined && accepted.broken) {
    return { kind: "restore", state: undefined, show: false, given };
  }
  if (base !== undefined && isGone) return { kind: "restore", state: base, show: true, given };
  if (accepted.isHalf && base !== undefined && !visible.wrongType && shows(ownFields(visible.raw), base)) {
    return { kind: "restore", state: base, show: true, given };
  }

  const state = base ?? initialState();
  if (visible.wrongType) return { kind: "settled", state, rejected: ["type"] };
  const { routing, differs, rejected } = readByHand(withStarts(state, starts), visible.raw);
  return differs ? { kind: "adopt", routing, rejected } : { kind: "settled", state, rejected };
}

/** Those of the cutover itself. */
function ownFields({ percent, state, pin_epoch }: RawFields): RawFields {
  return {
    ...(percent === undefined ? {} : { percent }),
    ...(state === undefined ? {} : { state }),
    ...(pin_epoch === undefined ? {} : { pin_epoch }),
  };
}

function shows(raw: RawFields, state: CutoverState): boolean {
  const { differs, rejected } = readByHand(state, raw);
  return !differs && rejected.length === 0;
}
