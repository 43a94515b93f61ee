/** A plan as people start, pause and see it, on any instance: what stands in the store, and what this one knows beside it. */
import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { type CutoverState, initialState } from "../../state/rules/model.ts";
import { percentToNumber } from "../../state/rules/percent.ts";
import type { Store } from "../../state/store/port.ts";
import { type ProjectedStep, project } from "../deadline.ts";
import { createGathering } from "../gathering.ts";
import {
  isContinued,
  type PlanRecord,
  type PlanSpec,
  planText,
  readPlan,
  sameSpec,
  startedPlan,
  stepAbove,
} from "../plan.ts";
import { type Circumstances, waitingOf } from "../steps.ts";
import type { Windows } from "../windows.ts";
import type { Around } from "./steward.ts";

/** Of one cutover. */
interface DeskOptions extends Around {
  readonly name: string;
  readonly store: Pick<Store, "note" | "writeNote">;
  readonly windows: () => Windows;
  readonly deadline: () => { readonly at: number; readonly reason: string } | undefined;
  readonly clock: Clock;
}

interface Asked {
  readonly by: string;
  readonly reason: string;
}

export function createDesk(options: DeskOptions) {
  const { name, store, clock, configured } = options;

  async function read(): Promise<{ readonly revision: number; readonly record: PlanRecord | undefined }> {
    const { revision, text } = await store.note(name, "plan");
    return { revision, record: readPlan(text) };
  }

  const write = async (record: PlanRecord, ifRevision: number) =>
    (await store.writeNote(name, "plan", { text: planText(record), ifRevision })) === "written";

  return {
    async show() {
      const { record } = await read();
      const spec = record?.spec ?? configured();
      return spec === undefined ? noPlan(name, options.state()) : await viewOf(options, spec, record);
    },

    async startable() {
      const spec = configured();
      if (spec === undefined) return refused("invalid", "the configuration has no plan for this cutover");
      const { percentThousandths, state } = options.state();
      if (state !== "open") return refused(state, `the cutover is ${state.replace("_", " ")}`);
      const last = spec.steps.at(-1) ?? 0;
      if (percentThousandths >= last)
        return refused("invalid", "it stands at the plan's last step, or above");
      const { record } = await read();
      const isRunning = record?.status === "running" && sameSpec(record.spec, spec);
      return {
        fingerprint: createHash("sha256").update(JSON.stringify(spec)).digest("hex").slice(0, 16),
        lastThousandths: last,
        isRunning,
        isContinued: isContinued(record, { spec, percentThousandths }),
      };
    },

    async start({ by, reason }: Asked): Promise<boolean> {
      const spec = configured();
      if (spec === undefined) return false;
      const { revision, record } = await read();
      const { percentThousandths, version } = options.state();
      const at = new Date(clock.now()).toISOString();
      const id = randomBytes(4).toString("hex");
      const start = { id, spec, by, reason, at, percentThousandths, version };
      return await write(startedPlan(record, start), revision);
    },

    async pause({ by, reason }: Asked): Promise<boolean | undefined> {
      const { revision, record } = await read();
      if (record?.status !== "running") return false;
      const paused = { ...record, status: "paused", because: `paused by ${by}: ${reason}` } as const;
      return (await write(paused, revision)) ? true : undefined;
    },
  };
}

function refused<Code extends string>(code: Code, detail: string) {
  return { code, detail };
}

const isoOf = (ms: number) => new Date(ms).toISOString();

function noPlan(name: string, state: CutoverState) {
  return {
    name,
    status: "none" as const,
    because: "",
    by: null,
    reason: null,
    startedAt: null,
    percent: percentToNumber(state.percentThousandths),
    next: null,
    advance: "auto" as const,
    steps: [],
    done: [],
    dwellSeconds: 0,
    stoodSeconds: 0,
    evidence: null,
    legacy: null,
    waiting: [],
    deadline: null,
    projection: null,
  };
}

async function viewOf(options: DeskOptions, spec: PlanSpec, record: PlanRecord | undefined) {
  const { name, clock, deadline } = options;
  const state = options.state() ?? initialState();
  const nowMs = clock.now();
  const here: PlanRecord =
    (record === undefined ? undefined : whereItStands(record, state)) ??
    startedPlan(undefined, {
      id: "",
      spec,
      by: "",
      reason: "",
      at: "",
      percentThousandths: state.percentThousandths,
      version: state.version,
    });
  const circumstances = await circumstancesAt(options, here, state);
  const due = deadline();
  const next = stepAbove(here);
  const evidence = circumstances.evidence;
  return {
    name,
    status: record?.status ?? ("not started" as const),
    because: record?.because ?? "",
    by: record?.by ?? null,
    reason: record?.reason ?? null,
    startedAt: record?.startedAt ?? null,
    percent: percentToNumber(here.standsThousandths),
    next: next === undefined ? null : percentToNumber(next),
    advance: spec.advance,
    steps: spec.steps.map(percentToNumber),
    done: here.made.map(({ percentThousandths, ...made }) => ({
      percent: percentToNumber(percentThousandths),
      ...made,
    })),
    dwellSeconds: spec.dwellMs / 1000,
    stoodSeconds: Math.round(here.dweltMs / 1000),
    evidence: evidence.kind === "not asked" ? null : evidence.text,
    legacy: circumstances.legacy?.text ?? null,
    waiting:
      next === undefined || record?.status !== "running"
        ? []
        : waitingOf(here, circumstances, nowMs).map(({ gate, text, leftMs }) => ({
            gate,
            text,
            secondsLeft: leftMs === undefined ? null : Math.ceil(leftMs / 1000),
          })),
    deadline: due === undefined ? null : { at: isoOf(due.at), reason: due.reason },
    projection: next === undefined ? null : projectionOf(options, here, circumstances, nowMs),
  };
}

/** A plan that is paused goes on from where the cutover stands by then: of another percent nothing has stood or is proven. */
function whereItStands(record: PlanRecord, { percentThousandths }: CutoverState): PlanRecord {
  if (record.status !== "paused" || record.standsThousandths === percentThousandths) return record;
  const { gathered: _, ...rest } = record;
  return { ...rest, standsThousandths: percentThousandths, dweltMs: 0 };
}

async function circumstancesAt(
  { configured, guard, limit, legacy, closed }: DeskOptions,
  { spec, gathered, dweltMs, standsThousandths }: PlanRecord,
  state: CutoverState,
): Promise<Circumstances> {
  const isAsked = spec.evidence !== undefined && standsThousandths > 0;
  return {
    state,
    configured: configured(),
    evidence:
      isAsked && spec.evidence !== undefined
        ? createGathering(spec.evidence, gathered).evidence(dweltMs)
        : { kind: "not asked" },
    guard: await guard(),
    limit: limit?.(),
    legacy: await legacy(),
    ...(await closed()),
  };
}

function projectionOf(
  { windows, deadline }: DeskOptions,
  { spec, standsThousandths, dweltMs }: PlanRecord,
  { evidence, freeze }: Circumstances,
  nowMs: number,
) {
  const isKnown =
    evidence.kind === "insufficient" && evidence.leftMs !== undefined && evidence.wholeMs !== undefined;
  const projection = project({
    steps: spec.steps,
    dwellMs: spec.dwellMs,
    standsThousandths,
    dweltMs,
    nowMs,
    windows: windows(),
    asksEvidence: spec.evidence !== undefined,
    evidence: isKnown ? { leftMs: evidence.leftMs ?? 0, wholeMs: evidence.wholeMs ?? 0 } : undefined,
    frozenUntilMs: freeze?.untilMs,
    deadlineMs: deadline()?.at,
  });
  const { finishMs, isMeasured, against = null, steps, costliest } = projection;
  return {
    finish: finishMs === undefined ? null : isoOf(finishMs),
    isMeasured,
    against,
    steps: steps.map(stepView),
    costliest: costliest === undefined ? null : stepView(costliest),
  };
}

function stepView({ percentThousandths, atMs, costs, takesMs }: ProjectedStep) {
  return {
    percent: percentToNumber(percentThousandths),
    at: isoOf(atMs),
    takesSeconds: Math.round(takesMs / 1000),
    costs,
  };
}
