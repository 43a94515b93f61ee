/** A store whose calls are counted: each by what came of it, and each change by who asked for it and by what way. */
import { Counter, type Registry } from "prom-client";
import { StoreUnavailable } from "../../base/errors.ts";
import { type Via, vias } from "../rules/history.ts";
import { changeActions } from "../rules/model.ts";
import type { Command, Store } from "./port.ts";

/** The name of each call as the label has it. */
const operations = {
  load: "load",
  apply: "apply",
  acknowledge: "acknowledge",
  leave: "leave",
  strays: "strays",
  instances: "instances",
  roster: "roster",
  history: "history",
  annotate: "annotate",
  shared: "shared",
  proposal: "proposal",
  propose: "propose",
  withdraw: "withdraw",
  note: "note",
  writeNote: "write_note",
  lease: "lease",
  release: "release",
  keep: "keep",
  kept: "kept",
} as const satisfies Partial<Record<keyof Store, string>>;
type Operation = keyof typeof operations;

/** `unavailable`: it did not answer in time. `refused`: it answered, and refuses for now. `failed`: anything else. */
const operationResults = ["ok", "unavailable", "refused", "failed"] as const;
type OperationResult = (typeof operationResults)[number];

/** `unchanged`: all was so already. `refused`: by the rules. */
const changeResults = ["accepted", "unchanged", "refused", "unavailable", "failed"] as const;

/** Ways past an instance's calls of the store, and one that earlier versions knew. */
const uncounted: ReadonlySet<Via> = new Set(["cli", "by hand", "local", "direct"]);
const countedVias = vias.filter((via) => !uncounted.has(via));

export interface StoreCounts {
  /** @returns the same store, whose calls are counted from now on */
  counted(store: Store): Store;
  show(registry: Registry): void;
}

export function createStoreCounts(): StoreCounts {
  const calls = new Counter({
    name: "cutover_store_operations_total",
    help: "Calls of the store of states that are over, by what came of them: unavailable is no answer in time, refused an answer that it takes nothing now.",
    labelNames: ["operation", "result"],
    registers: [],
  });
  const changes = new Counter({
    name: "cutover_changes_total",
    help: "Changes that this instance has asked the store for, by what they were to do, by the way they came (reconciled: one that was made on this instance alone, told to the store later), and by what came of them. Changes by hand in the store stand in the history and in cutover_rollbacks_total.",
    labelNames: ["action", "via", "result"],
    registers: [],
  });
  for (const operation of Object.values(operations)) {
    for (const result of operationResults) calls.inc({ operation, result }, 0);
  }
  for (const action of [...changeActions, "reconciled"]) {
    for (const via of countedVias)
      for (const result of changeResults) changes.inc({ action, via, result }, 0);
  }

  async function told<T>(operation: Operation, made: Promise<T>): Promise<T> {
    try {
      const answer = await made;
      calls.inc({ operation: operations[operation], result: "ok" });
      return answer;
    } catch (error) {
      calls.inc({ operation: operations[operation], result: resultOf(error) });
      throw error;
    }
  }

  async function changed(
    { change: { action }, origin }: Command,
    made: ReturnType<Store["apply"]>,
  ): ReturnType<Store["apply"]> {
    const via = countedVias.find((each) => each === origin?.via) ?? "api";
    try {
      const applied = await made;
      const result = !applied.accepted ? "refused" : applied.changed ? "accepted" : "unchanged";
      changes.inc({ action, via, result });
      return applied;
    } catch (error) {
      changes.inc({ action, via, result: error instanceof StoreUnavailable ? "unavailable" : "failed" });
      throw error;
    }
  }

  return {
    counted: (store) => ({
      kind: store.kind,
      load: (...of) => told("load", store.load(...of)),
      apply: (command) => changed(command, told("apply", store.apply(command))),
      subscribe: (onHint) => store.subscribe(onHint),
      acknowledge: (record) => told("acknowledge", store.acknowledge(record)),
      leave: (id) => told("leave", store.leave(id)),
      ...(store.strays === undefined ? {} : { strays: strays(store, told) }),
      instances: () => told("instances", store.instances()),
      roster: () => told("roster", store.roster()),
      history: (...of) => told("history", store.history(...of)),
      annotate: (annotating) => told("annotate", store.annotate(annotating)),
      shared: (...of) => told("shared", store.shared(...of)),
      proposal: (name) => told("proposal", store.proposal(name)),
      propose: (...of) => told("propose", store.propose(...of)),
      withdraw: (...of) => told("withdraw", store.withdraw(...of)),
      note: (...of) => told("note", store.note(...of)),
      writeNote: (...of) => told("writeNote", store.writeNote(...of)),
      lease: (...of) => told("lease", store.lease(...of)),
      release: (...of) => told("release", store.release(...of)),
      keep: (...of) => told("keep", store.keep(...of)),
      kept: (lease) => told("kept", store.kept(lease)),
      close: () => store.close(),
    }),
    show(registry) {
      for (const counter of [calls, changes]) registry.registerMetric(counter);
    },
  };
}

type Told = <T>(operation: Operation, made: Promise<T>) => Promise<T>;

function strays(store: Store, told: Told): (names: readonly string[]) => Promise<readonly string[]> {
  return (names) => told("strays", store.strays?.(names) ?? Promise.resolve([]));
}

function resultOf(error: unknown): OperationResult {
  if (!(error instanceof StoreUnavailable)) return "failed";
  return error.word === undefined ? "unavailable" : "refused";
}
