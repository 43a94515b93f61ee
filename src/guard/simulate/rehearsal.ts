/** An incident as the guard would see it, block by block, up to the sentence that it would say. PURE. */
import { createEvidence } from "../evidence/evidence.ts";
import { logShareEvidence, shareAlertOdds } from "../evidence/share-check.ts";
import { type Judgement, judgeSides } from "../verdict/verdict.ts";
import type { Chance } from "./chance.ts";

interface Incident {
  readonly perSecond: number;
  /** Of new, 0–1. */
  readonly share: number;
  readonly failing: { readonly legacy: number; readonly onNew: number };
  /** False alarms a day, as a share. */
  readonly alpha: number;
}

/** Of a block; failures are taken to be known within a second of its end. */
const blockMs = 2000;
const dayMs = 86_400_000;
const knownAfterMs = 1000;

/** Plan and guard as they come: the share of failures that is too much, the failed shoppers that are asked for. */
const shipped = { tolerance: 1, mostFailing: 0.1, minFailures: 3 };

interface Rehearsed extends Judgement {
  /** Since the incident began. */
  readonly afterMs: number;
}

/** @returns what the guard does first; `undefined` when nothing within a day */
export function rehearse(incident: Incident, chance: Chance): Rehearsed | undefined {
  const { perSecond, share, failing, alpha } = incident;
  const evidence = createEvidence({ ...shipped, alpha, blocksADay: dayMs / blockMs });
  const attempts = (perSecond * blockMs) / 1000;
  const side = (part: number, risk: number) => {
    const failed = chance.poisson(attempts * part * risk);
    return { units: failed + chance.poisson(attempts * part * (1 - risk)), failed };
  };
  let firstFailureAt: number | undefined;
  for (let block = 0; block < dayMs / blockMs; block += 1) {
    const sides = { legacy: side(1 - share, failing.legacy), onNew: side(share, failing.onNew) };
    const endsAt = (block + 1) * blockMs;
    if (sides.onNew.failed > 0) firstFailureAt ??= endsAt - blockMs / 2;
    evidence.attempts("quick", [sides], block === 0);
    evidence.attempts("late", [sides], block === 0);
    const findings = evidence.findings();
    if (!findings.failures.hasFired && !findings.tooMany.hasFired && !findings.tooManyOnLegacy.hasFired)
      continue;
    const afterMs = endsAt + knownAfterMs;
    const judged = judgeSides({
      findings,
      sides: evidence.sides(),
      hasPassedAStep: true,
      isProven: false,
      silent: [],
      ...(firstFailureAt === undefined ? {} : { sinceFirstFailureMs: afterMs - firstFailureAt }),
    });
    return { ...judged, afterMs };
  }
  return undefined;
}

/**
 * @param share of new as configured, 0–1 @param actual share that the splitter sends there
 * @returns the assignments until the share check alerts; `undefined` when not within `most`
 */
export function assignmentsToAlert(
  share: number,
  actual: number,
  most: number,
  chance: Chance,
): number | undefined {
  const alert = Math.log(shareAlertOdds);
  let onNew = 0;
  for (let assigned = 1; assigned <= most; assigned += 1) {
    if (chance.uniform() < actual) onNew += 1;
    if (logShareEvidence(share, assigned, onNew) >= alert) return assigned;
  }
  return undefined;
}
