/** What is believed of states, history entries and instance records when they are read back (JSON). PURE. */
import * as z from "zod";
import { localActions } from "./ceiling.ts";
import { escapeUnseen, historyActions, vias } from "./history.ts";
import { type CutoverState, stateNames } from "./model.ts";
import { maxThousandths } from "./percent.ts";
import { typedMaintenance } from "./sides/maintenance.ts";

const count = z.int().min(0);

/** What a person wrote, by the API or by hand. */
const told = z.string().overwrite(escapeUnseen);

/** As a state has it; what stands there for none is left out. */
const maintenance = z.string().refine((text) => text !== "" && typedMaintenance(text) === text);
export const percentThousandths = z.int().min(0).max(maxThousandths);
const cohorts = z.record(z.string().regex(/^[^\s=]+$/), percentThousandths).optional();

/** What no accepted change can have left behind does not pass: a rolled back cutover above 0, a closed one below 100. */
export const storedState: z.ZodType<CutoverState> = z
  .object({
    percentThousandths,
    cohorts,
    state: z.enum(stateNames),
    pinEpoch: count,
    maintenance: maintenance.exactOptional(),
    version: count,
    updatedAt: z.string(),
    updatedBy: told,
    reason: told,
  })
  .refine(
    ({ state, percentThousandths, cohorts = {} }) =>
      (state !== "rolled_back" ||
        [percentThousandths, ...Object.values(cohorts)].every((one) => one === 0)) &&
      (state !== "closed" || percentThousandths === maxThousandths),
    { error: "expected percent 0 while rolled back and 100 while closed" },
  );

const position = z.strictObject({ percentThousandths, cohorts, state: z.enum(stateNames) });
const outcome = position.extend({ maintenance: maintenance.exactOptional() });

/** Whether the state can have come of changes by the rules. Version 0 is nobody's and is not written down. */
export function isBelievable(state: CutoverState): boolean {
  return state.version > 0 && storedState.safeParse(state).success;
}

export const historyEntrySchema = z.strictObject({
  version: z.int().min(1),
  at: z.string(),
  by: told,
  action: z.enum(historyActions),
  from: position,
  to: outcome,
  reason: told,
  via: z.enum(vias).optional(),
  requestId: z.string().optional(),
});

/** A reason with the version of its change. */
export const annotationSchema = z.strictObject({
  version: z.int().min(1),
  at: z.string(),
  by: told,
  reason: told,
  via: z.enum(vias).optional(),
  requestId: z.string().optional(),
});

export const localChangeSchema = z
  .strictObject({
    id: z.string().min(1),
    name: z.string(),
    action: z.enum(localActions),
    ceiling: z.strictObject({
      percentThousandths,
      cohorts,
      state: z.enum(["held", "rolled_back"]),
      pinEpoch: z.int().min(0),
    }),
    instance: z.string(),
    by: z.string(),
    at: z.string(),
    reason: z.string(),
    requestId: z.string().optional(),
    from: position.extend({ version: z.int().min(0) }),
  })
  .refine(({ ceiling }) => ceiling.state === "held" || ceiling.percentThousandths === 0);

/** Unknown keys are dropped, not refused: a newer instance may say more of itself. */
export const instanceRecordSchema = z.object({
  id: z.string().min(1),
  startedAt: z.string(),
  seenAt: z.string(),
  versions: z.record(z.string(), z.int().min(0)),
  traffic: z.record(z.string(), z.unknown()),
  stale: z.object({ afterMs: z.number().min(0), legacy: z.array(z.string()) }).optional(),
  name: z.string().optional(),
  address: z.string().optional(),
  pid: z.int().optional(),
  config: z.object({ hash: z.string(), loadedAt: z.string(), refusedAt: z.string().optional() }).optional(),
  phase: z.enum(["starting", "draining"]).optional(),
  leads: z.array(z.string()).optional(),
  guard: z.record(z.string(), z.unknown()).optional(),
});

export const proposalSchema = z.object({
  id: z.string().min(1),
  action: z.enum(["set", "set_cohort", "close", "plan", "schedule"]).optional(),
  plan: z.string().optional(),
  cohort: z.string().optional(),
  force: z.boolean().optional(),
  override: z.boolean().optional(),
  dueAt: z.string().optional(),
  percentThousandths,
  version: z.int().min(0),
  by: told,
  reason: told,
  at: z.string(),
  expiresAt: z.string(),
});
