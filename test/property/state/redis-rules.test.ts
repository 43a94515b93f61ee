/** The rule book in Lua against the one in TypeScript: same commands, same answers, same history. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRedisClient } from "../../../src/redis/client.ts";
import type { Proposal } from "../../../src/state/rules/approval.ts";
import { escapeUnseen, type HistoryEntry } from "../../../src/state/rules/history.ts";
import type { Fenced } from "../../../src/state/rules/leases/lease.ts";
import {
  type Applied,
  type Change,
  type CutoverState,
  initialState,
  roles,
} from "../../../src/state/rules/model.ts";
import { formatPercent, maxThousandths } from "../../../src/state/rules/percent.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import type { Command, Store } from "../../../src/state/store/port.ts";
import { createRedisStore } from "../../../src/state/store/redis/store.ts";
import { stateOf } from "../../support/commands.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { type RedisServer, startRedis } from "../../support/redis.ts";

const seed = Number(process.env.FC_SEED ?? Date.now());

let server: RedisServer;
let redis: Store;
let runs = 0;

beforeAll(async () => {
  server = await startRedis();
  redis = createRedisStore({ client: createRedisClient(server.url), starts });
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

const percent = fc.oneof(
  fc.constantFrom(0, 1, 50_000, maxThousandths),
  fc.integer({ min: 0, max: maxThousandths }),
);
/** The configuration knows two of them. */
const cohortName = fc.constantFrom("jakarta", "bandung", "elsewhere");
const starts = (name: string) =>
  name.endsWith("0") ? undefined : { jakarta: 40_000, bandung: name.endsWith("1") ? 100_000 : 0 };
const change: fc.Arbitrary<Change> = fc.oneof(
  fc
    .tuple(percent, fc.option(cohortName, { nil: undefined }))
    .map(([percentThousandths, cohort]) => ({ action: "set" as const, percentThousandths, cohort })),
  fc.record({
    action: fc.constant("maintain"),
    side: fc.constantFrom("legacy", "new"),
    until: fc.option(fc.constantFrom("2026-03-01T14:00:00.000Z", "2027-01-01T00:00:00.000Z")),
  }),
  fc.record({ action: fc.constantFrom("rollback", "rollback_hard", "hold", "resume", "close") }),
  fc.record({
    action: fc.constant("reconciled"),
    ceiling: fc.oneof(
      fc.record({
        percentThousandths: percent,
        cohorts: fc.option(fc.dictionary(cohortName, percent), { nil: undefined }),
        state: fc.constant("held"),
        pinEpoch: fc.integer({ min: 0, max: 5 }),
      }),
      fc.record({
        percentThousandths: fc.constant(0),
        state: fc.constant("rolled_back"),
        pinEpoch: fc.integer({ min: 0, max: 5 }),
      }),
    ),
  }),
);

interface Step {
  readonly change: Change;
  readonly actor: Command["actor"];
  readonly reason: string;
  /** Asked for relative to the version there is, so that it is met often. */
  readonly versionsBack: number | undefined;
  /** Four eyes: how far one may raise alone. */
  readonly limit: number | undefined;
  /** Whether what one has raised lately counts, too. */
  readonly isTogether: boolean;
  /** A proposal opened just before, and named by the change. */
  readonly proposed:
    | { readonly by: string; readonly fits: boolean; readonly versionsBack: number }
    | undefined;
  /** The caller knows a state where the store has none (one that went back is Redis's own matter). */
  readonly ahead: number | undefined;
}

/** As it comes to a store: what nobody sees was told before (rules/history.ts), and Redis' answers are told so again. */
const seenText = (length: fc.StringConstraints) =>
  fc.string({ ...length, unit: "grapheme" }).map(escapeUnseen);

const step: fc.Arbitrary<Step> = fc.record({
  change,
  actor: fc.record({
    name: fc.oneof(fc.constantFrom("ann", "bob"), seenText({ minLength: 1, maxLength: 8 })),
    role: fc.oneof({ weight: 3, arbitrary: fc.constant("admin" as const) }, fc.constantFrom(...roles)),
  }),
  reason: seenText({ maxLength: 30 }),
  versionsBack: fc.option(fc.constantFrom(0, 0, 0, 1, -1), { nil: undefined, freq: 3 }),
  limit: fc.option(fc.constantFrom(0, 10_000, 50_000), { nil: undefined }),
  isTogether: fc.boolean(),
  proposed: fc.option(
    fc.record({
      by: fc.constantFrom("ann", "bob"),
      fits: fc.boolean(),
      versionsBack: fc.constantFrom(0, 0, 1),
    }),
    { nil: undefined },
  ),
  ahead: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined, freq: 20 }),
});

function commandOf(
  name: string,
  { change, actor, reason, versionsBack, ahead, limit, isTogether, proposed }: Step,
  at: CutoverState,
): Command {
  const ifVersion = versionsBack === undefined ? undefined : at.version - versionsBack;
  const lastGood =
    ahead === undefined || at.version > 0
      ? undefined
      : { ...at, pinEpoch: at.pinEpoch + ahead, version: at.version + ahead };
  return {
    name,
    change,
    actor,
    reason,
    ...(ifVersion === undefined ? {} : { ifVersion }),
    ...(limit === undefined
      ? {}
      : {
          fourEyes: {
            overThousandths: limit,
            ...(isTogether ? { windowMs: 3_600_000 } : {}),
            ...(proposed === undefined ? {} : { proposalId: "p" }),
          },
        }),
    ...(lastGood === undefined ? {} : { lastGood }),
  };
}

function proposalOf(
  { change, proposed }: Step,
  { version, percentThousandths: stands }: CutoverState,
): Proposal | undefined {
  if (proposed === undefined || (change.action !== "set" && change.action !== "close")) return undefined;
  const percentThousandths = change.action === "set" ? change.percentThousandths : stands;
  return {
    id: "p",
    ...(change.action === "close" ? { action: "close" as const } : {}),
    ...(change.action === "set" && change.cohort !== undefined
      ? { action: "set_cohort" as const, cohort: change.cohort }
      : {}),
    percentThousandths: proposed.fits ? percentThousandths : maxThousandths - percentThousandths,
    version: Math.max(0, version - proposed.versionsBack),
    by: proposed.by,
    reason: "",
    at: "",
    expiresAt: "",
  };
}

function timeless({ state, ...answer }: Applied | Fenced) {
  return { ...answer, state: { ...state, updatedAt: "" } };
}

function entryWithoutTime(entry: HistoryEntry) {
  return { ...entry, at: "" };
}

test("the store on Redis answers every sequence of commands as the memory store does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const memory = createMemoryStore({ clock: createManualTime(), starts });
      const name = `run-${runs++}`;
      let current = initialState();
      for (const [index, each] of steps.entries()) {
        const command = commandOf(name, each, current);
        const proposal = proposalOf(each, current);
        if (proposal !== undefined) {
          await Promise.all([memory, redis].map((store) => store.propose(name, proposal, 60_000)));
        }
        const [expected, answer] = [await memory.apply(command), await redis.apply(command)];
        expect(timeless(answer), `step ${index}, seed ${seed}`).toEqual(timeless(expected));
        current = expected.state;
        const open = await Promise.all([memory, redis].map((store) => store.proposal(name)));
        expect(open[1], `step ${index}, seed ${seed}`).toEqual(open[0]);
      }
      expect({ ...(await stateOf(redis, name)), updatedAt: "" }).toEqual({
        ...(await stateOf(memory, name)),
        updatedAt: "",
      });
      const [expected, history] = [await memory.history(name, 100), await redis.history(name, 100)];
      expect(history.map(entryWithoutTime), `seed ${seed}`).toEqual(expected.map(entryWithoutTime));
    }),
    { seed, numRuns: 150, verbose: 1 },
  );
}, 60_000);

test("Lua writes times and percents as TypeScript does", async () => {
  const common = readFileSync(
    new URL("../../../src/state/store/redis/scripts/common.lua", import.meta.url),
    "utf8",
  );
  const script = `${common}
    local out = {}
    for i = 1, #ARGV, 2 do
      out[#out + 1] = rfc3339(tonumber(ARGV[i]))
      out[#out + 1] = percentText(tonumber(ARGV[i + 1]))
      out[#out + 1] = tostring(thousandthsOf(out[#out]))
    end
    return out`;
  const ms = fc.oneof(
    fc.integer({ min: 0, max: Date.parse("9999-12-31T23:59:59.999Z") }),
    fc
      .constantFrom("1970-01-01", "2000-02-29", "2100-02-28", "2100-03-01", "2024-12-31")
      .map((day) => Date.parse(day)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(ms, percent), { minLength: 1, maxLength: 50 }), async (values) => {
      const answer = await server.cli("EVAL", script, 0, ...values.flat());
      expect(answer, `seed ${seed}`).toEqual(
        values.flatMap(([time, thousandths]) => [
          new Date(time).toISOString(),
          formatPercent(thousandths),
          String(thousandths),
        ]),
      );
    }),
    { seed, numRuns: 100, verbose: 1 },
  );
});
