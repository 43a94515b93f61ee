/**
 * Owners as people see them and put them right: what stands in the store, and beside it what each live instance goes by,
 * which may be another side, for an owner that is remembered is not asked for again.
 */
import type { OwnerView } from "../admin/api/owner-view.ts";
import type { OwnerDesk } from "../admin/context.ts";
import { type Clock, systemTimers, within } from "../base/clock.ts";
import { StoreUnavailable } from "../base/errors.ts";
import { bytesOf } from "../decide/bucket.ts";
import type { KeyQuestion, KeyRecords, OwnerRecord, OwnersByHand } from "../ownership/stores/by-hand.ts";
import { ownerKey } from "../proxy/request/gather.ts";
import type { CompiledCutover } from "../proxy/routes.ts";
import type { Control } from "./control.ts";
import type { Serving } from "./serving.ts";

interface OwnerDeskOptions {
  /** The instance's own id. */
  readonly instance: string;
  readonly control: Pick<Control, "store" | "ownershipStores">;
  /** What is served by, and what this instance knows of a key. */
  readonly serving: Pick<Serving, "table" | "lookAtKey">;
  readonly clock: Pick<Clock, "now">;
  readonly undo: (step: () => void) => void;
}

type InstanceView = OwnerView["instances"][number];

const patienceMs = 1500;

export function createOwnerDesk(options: OwnerDeskOptions): OwnerDesk {
  const { instance, control, serving, clock, undo } = options;
  const { table, lookAtKey } = serving;
  const byHand = byHandOf(control);
  const stopAnswering = byHand.answer?.(instance, lookAtKey);
  if (stopAnswering !== undefined) undo(stopAnswering);

  async function view(cutover: CompiledCutover, text: string, forget: boolean): Promise<OwnerView> {
    const key = bytesOf(text);
    const { name } = cutover;
    const question = { cutover: name, key, forget };
    const [records, waiting, instances] = await Promise.all([
      byHand.inspect(name, key).catch(outOfReach),
      byHand.waiting(name, key).catch(outOfReach),
      askAll(options, byHand, question),
    ]);
    return {
      key: text,
      ...owning(cutover, key, records),
      store: records === undefined ? null : storeView(cutover, records),
      instances,
      agree: records === undefined || instances.every((instance) => goesBy(instance, records)),
      waiting: waiting === undefined || Date.parse(waiting.expiresAt) <= clock.now() ? null : waiting,
    };
  }

  const withOwners = (name: string) => {
    const cutover = table().cutovers.get(name);
    return cutover === undefined || cutover.owners.length === 0 ? undefined : cutover;
  };
  return {
    async look(name, key) {
      const cutover = withOwners(name);
      return cutover && view(cutover, key, false);
    },
    async put(name, text, side) {
      const cutover = withOwners(name);
      if (cutover === undefined) throw new Error("a cutover without owners was to have one");
      const key = bytesOf(text);
      await byHand.put(name, key, side ?? undefined, longestTtl(cutover));
      await byHand.wait(name, key, undefined, 1).catch(() => undefined);
      return view(cutover, text, true);
    },
    async wait(name, text, change, ttlMs) {
      const now = clock.now();
      const expiresAt = new Date(now + ttlMs).toISOString();
      const waiting = { ...change, at: new Date(now).toISOString(), expiresAt };
      await byHand.wait(name, bytesOf(text), waiting, ttlMs);
      return waiting;
    },
  };
}

/** @throws Error in a worker, whose primary is asked by people */
function byHandOf({ ownershipStores: { byHand } }: OwnerDeskOptions["control"]): OwnersByHand {
  if (byHand === undefined) throw new Error("owners are put right where the store is");
  return byHand;
}

function outOfReach(error: unknown): undefined {
  if (error instanceof StoreUnavailable) return undefined;
  throw error;
}

async function askAll(
  { instance, control, serving: { lookAtKey } }: OwnerDeskOptions,
  byHand: OwnersByHand,
  question: KeyQuestion,
): Promise<InstanceView[]> {
  const records = await within(patienceMs, systemTimers, control.store.instances()).catch(() => []);
  const ids = records.map(({ id }) => id);
  const others = byHand.ask === undefined ? [] : ids.filter((id) => id !== instance);
  const [own, told] = await Promise.all([
    lookAtKey(question).catch(() => undefined),
    byHand.ask?.(question, others),
  ]);
  return [instance, ...others].map((id): InstanceView => {
    const known = id === instance ? own : told?.get(id);
    const silent = { fact: null, claim: null, inFlight: 0, inDoubt: false };
    return { id, answered: known !== undefined, ...(known ?? silent) };
  });
}

/** Whether what it remembers is what stands in the store. A fact decides where there is no claim. */
function goesBy({ fact, claim }: InstanceView, records: KeyRecords): boolean {
  const stands = records.fact?.side ?? null;
  const claimed = records.claim?.side ?? stands;
  return (fact === null || fact === stands) && (claim === null || claim === claimed);
}

function owning(
  cutover: CompiledCutover,
  key: string,
  records: KeyRecords | undefined,
): Pick<OwnerView, "side" | "by" | "since" | "until"> {
  const unknown = { since: null, until: null };
  for (const owner of cutover.owners) {
    const { side } = ownerKey(owner, key);
    if (side !== undefined) return { side, by: "pattern", ...unknown };
  }
  if (records === undefined) return { side: null, by: "unknown", ...unknown };
  const { fact, claim } = storeView(cutover, records);
  const record = fact ?? claim;
  if (record === null) return { side: null, by: "nobody", ...unknown };
  const { side, since, until } = record;
  return { side, by: fact === null ? "claim" : "fact", since, until };
}

function storeView(cutover: CompiledCutover, { fact, claim }: KeyRecords): NonNullable<OwnerView["store"]> {
  return { fact: recordView(fact, ttlOf(cutover, false)), claim: recordView(claim, ttlOf(cutover, true)) };
}

/** When it was made is told by its end, where all that are made alike live for one time. */
function recordView(record: OwnerRecord | undefined, ttlMs: number | undefined) {
  if (record === undefined) return null;
  const { side, until, isTentative: tentative } = record;
  const text = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  const since = until === undefined || ttlMs === undefined ? undefined : until - ttlMs;
  return { side, since: text(since), until: text(until), tentative };
}

function ttlOf({ owners }: CompiledCutover, claimed: boolean): number | undefined {
  const those = owners.filter(({ learn }) => (learn === undefined) === claimed).map(({ ttlMs }) => ttlMs);
  return new Set(those).size === 1 ? those[0] : undefined;
}

/** As long as what is learned is kept, else as what is claimed. */
function longestTtl({ owners }: CompiledCutover): number {
  const learned = owners.filter(({ learn }) => learn !== undefined);
  return Math.max(...(learned.length === 0 ? owners : learned).map(({ ttlMs }) => ttlMs));
}
