/**
 * What no event tells, fetched when it may have changed and no oftener: a hundred pages may be open. At once after a
 * change, and as more instances have come to apply it; instances and plan each 10 s, the history each minute, for remarks
 * that were made later.
 */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import type { HistoryEntryView } from "../../admin/api/history-view.ts";
import type { InstanceView } from "../../admin/api/instance-view.ts";
import type { PlanView } from "../../admin/api/plan/plan-view.ts";
import { chosenOf, withChange, withTold } from "../state.ts";
import type { ApiCalls } from "./calls.ts";
import type { Stage } from "./deeds.ts";
import type { EvidenceKeeper } from "./evidence.ts";

export interface Renewal {
  /** After a change, and at first. One that is asked for while another goes on follows it. */
  all(): void;
  /** After each second's figures. */
  look(): void;
}

const oftenMs = 10_000;
const seldomMs = 60_000;

/** What a plan is known again by. */
function standOf(plan: CutoverView["plan"]): string {
  return `${plan?.status} ${plan?.percent} ${plan?.next}`;
}

export function createRenewal(
  { state, ui, show, setState }: Omit<Stage, "renew">,
  calls: ApiCalls,
  evidence: EvidenceKeeper,
): Renewal {
  let isBusy = false;
  let isWanted = false;
  let often = performance.now();
  let seldom = often;
  let applied = chosenOf(state())?.instances.applied;
  const planOf = () => chosenOf(state())?.plan;
  let stands = standOf(planOf());

  async function fleet(): Promise<void> {
    const instances = await calls.get<readonly InstanceView[]>("api/v1/instances");
    if (instances !== undefined) setState((now) => ({ ...now, instances }));
  }

  async function history(name: string): Promise<void> {
    seldom = performance.now();
    const path = `api/v1/cutovers/${encodeURIComponent(name)}/history?limit=30`;
    const entries = await calls.get<readonly HistoryEntryView[]>(path);
    if (entries !== undefined) setState((now) => withTold(now, name, { history: entries }));
  }

  /** What a stream has missed, and a call was refused for. */
  async function view(name: string): Promise<void> {
    const told = await calls.get<CutoverView>(`api/v1/cutovers/${encodeURIComponent(name)}`);
    if (told !== undefined) setState((now) => withChange(now, told));
  }

  async function plan(name: string): Promise<void> {
    const told = await calls.get<PlanView>(`api/v1/cutovers/${encodeURIComponent(name)}/plan`);
    if (told !== undefined) setState((now) => withTold(now, name, { plan: told }));
  }

  async function renew(isWhole: boolean): Promise<void> {
    often = performance.now();
    const { chosen: name, who } = state();
    if (who === undefined) return;
    const isDue = isWhole || performance.now() - seldom >= seldomMs;
    await Promise.all([
      name === undefined ? undefined : fleet(),
      name !== undefined && isWhole ? view(name) : undefined,
      name !== undefined && isDue ? history(name) : undefined,
      name === undefined || planOf() === undefined ? undefined : plan(name),
      evidence.renew(state(), ui()).then(show),
    ]);
  }

  function all(): void {
    isWanted = isBusy;
    if (isBusy) return;
    isBusy = true;
    void renew(true).finally(() => {
      isBusy = false;
      if (isWanted) all();
    });
  }

  return {
    all,
    look() {
      const now = chosenOf(state())?.instances.applied;
      const isMore = now !== applied;
      applied = now;
      const told = standOf(planOf());
      const isOther = told !== stands;
      stands = told;
      if (isOther) all();
      else if (isMore) void fleet();
      else if (performance.now() - often >= oftenMs) void renew(false);
    },
  };
}
