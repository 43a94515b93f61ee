/** A plan whose processes are killed at any call to the store, before or after it was made. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createPlanFleet, name } from "../unit/plan/fleet.ts";
import { spec } from "../unit/plan/support.ts";

const seed = Number(process.env.FC_SEED ?? Date.now());
const killings = process.env.CUTOVER_BARS === "full" ? 200 : 40;
const secondMs = 1000;
const dwellMs = 20 * secondMs;

const deaths = fc.array(
  fc.record({
    atCall: fc.integer({ min: 1, max: 60 }),
    isMade: fc.boolean(),
    pauseMs: fc.integer({ min: 0, max: 9000 }),
  }),
  { minLength: 5, maxLength: 12 },
);

test(`no kill skips a gate or repeats a step, seed ${seed}`, async () => {
  await fc.assert(
    fc.asyncProperty(deaths, async (planned) => {
      const fleet = createPlanFleet({ spec: spec({ dwellMs }) });
      await fleet.start();
      let leader = await fleet.open("p0");
      const left = [...planned];
      leader.killAt(left[0] ?? { atCall: 1, isMade: true });
      for (let at = 0; at < 2000 && (await fleet.record()).status === "running"; at += 1) {
        if (leader.isDead()) {
          const dead = left.shift();
          fleet.pass(dead?.pauseMs ?? 0);
          leader = await fleet.open(`p${planned.length - left.length}`);
          const next = left[0];
          if (next !== undefined) leader.killAt(next);
        }
        await leader.turn();
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
    }),
    { numRuns: Math.ceil(killings / 8), seed },
  );
});
