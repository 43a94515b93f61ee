import { expect, test } from "vitest";
import type { Scheduled } from "../../../src/plan/schedule.ts";
import { createScheduleNote } from "../../../src/plan/steward/schedule-note.ts";
import { createRecordedLog } from "../../support/recorded-log.ts";
import { createPlanFleet, name } from "./fleet.ts";
import { spec } from "./support.ts";

const entry = (id: string): Scheduled => ({
  ...{ id, percentThousandths: 5000, dueMs: 0, by: "ana", reason: "", requestId: id },
  ...{ askedAt: "2024-01-01T00:00:00.000Z", fromThousandths: 0 },
});

test("what the store has lost is written into it again, and what was cancelled before stays so", async () => {
  const fleet = createPlanFleet({ spec: spec() });
  const note = createScheduleNote({ name, store: fleet.store, log: createRecordedLog() });
  const cancelled = { kind: "cancelled", at: "2024-01-01T00:00:01.000Z", because: "by budi" } as const;
  const entries = [entry("a"), { ...entry("b"), outcome: cancelled }];
  expect(await note.write({ entries }, await note.read())).toBe("written");
  await fleet.loses("schedule");
  expect(await note.read()).toBe(1);
  expect(note.known()).toEqual({ entries });
  const another = createScheduleNote({ name, store: fleet.store, log: createRecordedLog() });
  await another.read();
  expect(another.known()).toEqual({ entries });
});
