import { expect, test } from "vitest";
import { createGathering } from "../../../src/plan/gathering.ts";

const minuteMs = 60_000;
const evidence = { notWorseThan: 2, confidence: 0.95 };
/** 50 attempts a side; every second block one of legacy's fails, every fourth one of new's. */
const block = (at: number) => {
  const [onLegacy, onNew] = [at % 2 === 0 ? 1 : 0, at % 4 === 0 ? 1 : 0];
  return [{ legacy: 50, onNew: 50, events: onLegacy + onNew, eventsOnNew: onNew }];
};

test("no data proves nothing, and no failure at all does not either", () => {
  const gathering = createGathering(evidence);
  expect(gathering.evidence(minuteMs)).toEqual({
    kind: "insufficient",
    text: "new fails less than 2× legacy: odds 1.0 of 20 to 1",
  });
  for (let at = 0; at < 1000; at += 1) {
    gathering.failures([{ legacy: 50, onNew: 50, events: 0, eventsOnNew: 0 }]);
  }
  expect(gathering.evidence(minuteMs).kind).toBe("insufficient");
});

test("a side that is no worse is proven to be so, and says before how long that takes", () => {
  const gathering = createGathering(evidence);
  for (let at = 0; at < 20; at += 1) gathering.failures(block(at));
  const early = gathering.evidence(20 * minuteMs);
  if (early.kind !== "insufficient") throw new Error("proven too early");
  expect(early.leftMs).toBeGreaterThan(0);
  expect(early.wholeMs).toBeCloseTo((early.leftMs ?? 0) + 20 * minuteMs, 3);
  for (let at = 0; at < 200; at += 1) gathering.failures(block(at));
  expect(gathering.evidence(220 * minuteMs)).toMatchObject({ kind: "passed" });
});

test("what is written down goes on as if nothing had happened", () => {
  const [one, first] = [
    createGathering({ ...evidence, paid: 1.5 }),
    createGathering({ ...evidence, paid: 1.5 }),
  ];
  for (let at = 0; at < 30; at += 1) {
    one.failures(block(at));
    first.failures(block(at));
    one.paid([{ legacy: 5, onNew: 5, events: 2, eventsOnNew: 1 }]);
    first.paid([{ legacy: 5, onNew: 5, events: 2, eventsOnNew: 1 }]);
  }
  const other = createGathering({ ...evidence, paid: 1.5 }, JSON.parse(JSON.stringify(first.state())));
  one.failures(block(0));
  other.failures(block(0));
  expect(other.evidence(minuteMs)).toEqual(one.evidence(minuteMs));
});

test("where payments are asked for, both have to be proven", () => {
  const gathering = createGathering({ ...evidence, paid: 1.5 });
  for (let at = 0; at < 300; at += 1) gathering.failures(block(at));
  expect(gathering.evidence(minuteMs)).toMatchObject({
    kind: "insufficient",
    text: expect.stringContaining("1/1.5 of legacy's pace"),
  });
});
