/** Where a change is in force, and what is not known of the rest, as a person reads it. PURE. */
import { silentIn } from "../../admin/api/applied-view.ts";
import type { LaggingInstance, WriteAnswer } from "../../admin/api/write.ts";
import { clockTime, count, ofInstances, plural } from "./format.ts";
import { printable, shellWord } from "./text.ts";

/** The end of the answer's first line. */
export function whereLine({ applied }: WriteAnswer): string {
  if (applied.scope === "local" && applied.complete) {
    return `on ${ofInstances(applied.instances, applied.of)} when the store was last heard of`;
  }
  if (applied.scope === "local" && applied.instances === 0) {
    return `on this one instance alone, not by all of its workers after ${count(Math.round(applied.ms))} ms: the store does not take it`;
  }
  if (applied.scope === "local") {
    return `on this one instance alone in ${count(Math.round(applied.ms))} ms: the store does not take it`;
  }
  if (applied.of === 0) return "no instance is live to apply it";
  const silent = silentIn(applied);
  const missing = silent === 0 ? "" : `, ${silent === 1 ? "one" : silent} silent`;
  return `applied on ${ofInstances(applied.instances, applied.of + silent)} in ${count(Math.round(applied.ms))} ms${missing}`;
}

/** A line for each instance that may still decide by an older version, and the moment at which that is over. */
export function laggingLines({ applied }: WriteAnswer): string[] {
  const lines = applied.lagging.map(laggingLine);
  if (lines.length === 0 || applied.scope === "local") return lines;
  const { complete, completeBy } = applied;
  if (complete) return lines;
  return [
    ...lines,
    completeBy === null
      ? "When it is complete everywhere is not known."
      : `Complete everywhere by ${clockTime(Date.parse(completeBy))} at the latest (--wait 60s waits for it).`,
  ];
}

/** Of an instance that may decide by an older version. */
export function laggingLine(instance: LaggingInstance): string {
  const { id, name, address, pid, version, seenAt, leaseEndsAt } = instance;
  const where = `${address === undefined ? "" : ` at ${address}`}${pid === undefined ? "" : `, pid ${pid}`}`;
  const called = printable(name === undefined ? id : `${name}${where} (${id})`);
  const seen = `instance ${called}: last heard of at ${clockTime(Date.parse(seenAt))}, at version ${version}`;
  return leaseEndsAt === null
    ? `${seen}; if it is cut off it goes on by that`
    : `${seen}; starts nothing on new after ${clockTime(Date.parse(leaseEndsAt))}`;
}

/** What is missing, one sentence without a full stop; `undefined` when the change is complete everywhere. */
export function shortfall({ version, applied }: WriteAnswer): string | undefined {
  const { scope, complete, instances, of, lagging, ms } = applied;
  if (complete) return undefined;
  if (scope === "local" && instances === 0)
    return "the store does not take it, and not all workers of this one instance do as they were told yet";
  if (scope === "local") return "the store does not take it: only this one instance does as it was told";
  const stands = `version ${version} stands in the store, but`;
  if (instances < of) {
    const silent = silentIn(applied);
    const missing = silent === 0 ? "" : `, and ${silent} cannot be asked`;
    return `${stands} ${plural(of - instances, "instance")} of ${of + silent} had not applied it after ${count(Math.round(ms))} ms${missing}`;
  }
  if (lagging.length === 0) return `${stands} no instance is live to apply it`;
  return `${stands} ${plural(lagging.length, "instance")} cannot be asked: cut off, or ended without saying so`;
}

/** What to do about a shortfall, a line each. */
export function adviceLines(answer: WriteAnswer, call: string): string[] {
  const name = shellWord(printable(answer.name));
  if (answer.applied.scope === "local") {
    return [
      ...(answer.applied.instances === 0
        ? [`A worker that says nothing for 15 s is ended. Ask again: cutover ${call} ${name}`]
        : []),
      `Tell every other instance: cutover ${call} ${name} --admin-url ${addressesOf(answer)}`,
      "When the store is back the lower percent wins everywhere, by itself; the history then says reconciled.",
    ];
  }
  const { instances, of, lagging } = answer.applied;
  if (of === 0 && lagging.length === 0) {
    return ["Do not repeat it: it stands in the store, and an instance that starts goes by it."];
  }
  const goesOn = lagging.filter(({ leaseEndsAt }) => leaseEndsAt === null);
  return [
    // One that is silent does not hear of it while anybody watches.
    instances < of
      ? `Do not repeat it; see it arrive: cutover watch ${name}`
      : `Do not repeat it: an instance that is cut off hears of it when it is back; one that has ended never does.`,
    ...(goesOn.length > 0 && instances === of ? goesOnLines(call, goesOn) : []),
  ];
}

/** Of those that have not heard of it, where they can be reached from elsewhere. */
function addressesOf({ applied }: WriteAnswer): string {
  const urls = applied.lagging.map(({ address = "" }) =>
    /^(?:127\.|localhost|\[::1\]|$)/.test(address) ? "" : `http://${address}`,
  );
  return urls.length === 0 || urls.includes("") ? "URL" : shellWord(printable(urls.join(",")));
}

/** Its process, where it is one and known. */
export function pidOf(instances: readonly LaggingInstance[]): string {
  const [only] = instances;
  return instances.length === 1 && only?.pid !== undefined ? `${only.pid}` : "PID";
}

/** What helps against an instance that takes traffic and goes by its last version. */
function goesOnLines(call: string, which: readonly LaggingInstance[]): string[] {
  const first =
    "One that is cut off from the store but still takes traffic decides by its last version: take it out of the";
  if (call !== "rollback" && call !== "hold" && call !== "percent") return [first, "load balancer."];
  return [first, `load balancer, or roll back all of it on its host: kill -USR1 ${pidOf(which)}`];
}
