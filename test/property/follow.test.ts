import fc from "fast-check";
import { expect, test } from "vitest";
import { createFollower, defaultPollMs } from "../../src/state/follow/follow.ts";
import { type Change, type CutoverState, initialState } from "../../src/state/rules/model.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import type { Loaded } from "../../src/state/store/port.ts";
import { createManualTime } from "../support/manual-time.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import { createTroubledStore } from "../support/troubled-store.ts";

const names = ["checkout", "returns"] as const;
const seed = Number(process.env.SEED ?? Date.now());

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    action: fc.constant("set" as const),
    percentThousandths: fc.integer({ min: 0, max: 100_000 }),
  }),
  fc.record({ action: fc.constantFrom("rollback", "rollback_hard", "hold", "resume", "close") }),
);

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("write"), name: fc.constantFrom(...names), change }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.integer({ min: 0, max: 1500 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("mood"), mood: fc.constantFrom("well", "fail", "hang") }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("hints"), through: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("nonsense"), content: fc.constantFrom("", "a", "b") }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("answers"), as: fc.constantFrom("true", "old", "empty") }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("refresh") }) },
);

test("versions never go back, and one poll after the store is well the snapshot is what it holds", async () => {
  await fc
    .assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        async (steps, randoms) => {
          const time = createManualTime();
          const truth = createMemoryStore({ clock: time });
          const store = createTroubledStore(truth);
          let rejections = 0;
          const follower = createFollower({
            store,
            names,
            instance: { id: "i1", startedAt: "" },
            traffic: () => ({}),
            clock: time,
            timers: time,
            random: () => randoms.next().value ?? 0,
            log: createRecordedLog(),
            onRejected: () => {
              rejections += 1;
            },
          });
          const everTrue = new Set([JSON.stringify(initialState())]);
          let oldest: Loaded | undefined;
          let contents = 0;
          const served: CutoverState[][] = names.map(() => [initialState()]);
          follower.onSwap(({ states }) => {
            for (const [index, name] of names.entries())
              served[index]?.push(states.get(name) ?? initialState());
          });
          const started = follower.start();

          for (const each of steps) {
            if (each.kind === "write") {
              const actor = { name: "ana", role: "admin" } as const;
              const { state } = await truth.apply({
                name: each.name,
                change: each.change,
                actor,
                reason: "",
              });
              everTrue.add(JSON.stringify(state));
              oldest ??= await truth.load(names, new Map());
            } else if (each.kind === "pass") {
              await time.advance(each.ms);
            } else if (each.kind === "mood") {
              store.mood(each.mood);
            } else if (each.kind === "hints") {
              store.hints(each.through);
            } else if (each.kind === "nonsense") {
              contents += 1;
              const { content } = each;
              store.rejecting(
                content === "" ? [] : [{ name: "checkout", fields: ["percent"], fingerprint: content }],
              );
            } else if (each.kind === "answers") {
              const states: ReadonlyMap<string, CutoverState> =
                each.as === "old" ? (oldest?.states ?? new Map()) : new Map();
              store.answering((loaded) => (each.as === "true" ? loaded : { ...loaded, states }));
            } else {
              void follower.refresh();
            }
            expect(store.loading()).toBeLessThanOrEqual(1);
          }

          store.hints(false);
          store.answering((loaded) => loaded);
          store.mood("well");
          await time.advance(defaultPollMs);
          const held = await truth.load(names, new Map());
          expect(follower.current().states).toEqual(held.states);
          expect(follower.contact().up).toBe(true);
          const [record] = await truth.instances();
          expect(record?.versions).toEqual(
            Object.fromEntries([...held.states].map(([name, { version }]) => [name, version])),
          );
          expect(rejections).toBeLessThanOrEqual(contents);
          for (const states of served) {
            const versions = states.map(({ version }) => version);
            expect(versions).toEqual(versions.toSorted((one, other) => one - other));
            for (const state of states) expect(everTrue.has(JSON.stringify(state))).toBe(true);
          }
          await started;
          await follower.stop();
          expect(time.pending()).toBe(0);
        },
      ),
      { seed, numRuns: 300, verbose: 1 },
    )
    .catch((error: unknown) => {
      throw new Error(`with SEED=${seed}`, { cause: error });
    });
});
