/** A plan whose processes are killed at any call to the store, before or after it was made. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createPlanFleet, name } from "../unit/plan/fleet.ts";
import { spec } from "../unit/plan/support.ts";

const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);
/** So many that have happened: what was only to be is not counted. */
const killings = 200;
const secondMs = 1000;
const dwellMs = 20 * secondMs;

/** Half of them where something is written: between a step and its record, and before and behind it. */
const deaths = fc.array(
  fc.record({
    atCall: fc.integer({ min: 1, max: 40 }),
    on: fc.constantFrom(undefined, undefined, "apply" as const, "writeNote" as const),
    isMade: fc.boolean(),
    pauseMs: fc.integer({ min: 0, max: 9000 }),
  }),
  { minLength: 30, maxLength: 30 },
);
/** Carries a plan out to its end, one process after the other. @returns where each was killed */
async function killedIn(
  planned: typeof deaths extends fc.Arbitrary<infer Deaths> ? Deaths : never,
): Promise<string[]> {
  const fleet = createPlanFleet({ spec: spec({ dwellMs }) });
  await fleet.start();
  const killed: string[] = [];
  const left = [...planned];
  const begin = async () => {
    const process = await fleet.open(`p${killed.length}`);
    const next = left.shift();
    if (next !== undefined) process.killAt(next);
    return { process, next };
  };
  let leader = await begin();
  for (let at = 0; at < 5000 && (await fleet.record()).status === "running"; at += 1) {
    if (leader.process.isDead()) {
      killed.push(`${leader.process.diedAt()} ${leader.next?.isMade ? "made" : "not made"}`);
      fleet.pass(leader.next?.pauseMs ?? 0);
      leader = await begin();
    }
    await leader.process.turn();
    fleet.pass(secondMs);
  }
  const record = await fleet.record();
  expect(record.status).toBe("done");
  const made = [...(await fleet.store.history(name, 100))].reverse();
  // Each step once, in order, in the history as in the record.
  expect(made.map(({ to }) => to.percentThousandths)).toEqual(record.spec.steps);
  expect(record.made.map(({ percentThousandths }) => percentThousandths)).toEqual(record.spec.steps);
  made.slice(1).forEach(({ at }, index) => {
    expect(Date.parse(at) - Date.parse(made[index]?.at ?? "")).toBeGreaterThanOrEqual(dwellMs);
  });
  return killed;
}

test(`no kill skips a gate or repeats a step, seed ${seed}`, async () => {
  const killed: string[] = [];
  for (let run = 0; killed.length < killings; run += 1) {
    const [planned = []] = fc.sample(deaths, { numRuns: 1, seed: seed + run });
    killed.push(...(await killedIn(planned)));
  }
  const counts = new Map<string, number>();
  for (const where of killed) counts.set(where, (counts.get(where) ?? 0) + 1);
  console.log(
    `plan: ${killed.length} processes killed: ${[...counts].map((each) => each.join(" ")).join(", ")}`,
  );
  for (const where of ["apply made", "apply not made", "writeNote made", "writeNote not made"]) {
    expect(counts.get(where) ?? 0, where).toBeGreaterThan(0);
  }
});
