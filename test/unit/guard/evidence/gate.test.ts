import { expect, test } from "vitest";
import { notWorseGate, paidGate } from "../../../../src/guard/evidence/gate.ts";

const equal = { legacy: 900, onNew: 900, events: 20, eventsOnNew: 10 };

test("no data is no proof", () => {
  const gate = notWorseGate(2);
  gate.block([{ legacy: 900, onNew: 900, events: 0, eventsOnNew: 0 }]);
  expect(gate.evidence()).toBe(1);
});

test("equal sides prove that new is not twice as bad, also by a new leader", () => {
  const one = notWorseGate(2);
  for (let n = 0; n < 10; n += 1) one.block([equal]);
  expect(one.evidence()).toBeGreaterThan(20);
  const first = notWorseGate(2);
  for (let n = 0; n < 4; n += 1) first.block([equal]);
  const second = notWorseGate(2, JSON.parse(JSON.stringify(first.state())));
  for (let n = 0; n < 6; n += 1) second.block([equal]);
  expect(second.evidence()).toBe(one.evidence());
});

test("a side that is twice as bad does not pass", () => {
  const gate = notWorseGate(2);
  for (let n = 0; n < 50; n += 1) gate.block([{ legacy: 900, onNew: 900, events: 30, eventsOnNew: 20 }]);
  expect(gate.evidence()).toBeLessThan(20);
});

test("payments at legacy's pace pass, and at half of it do not", () => {
  const [well, poor] = [paidGate(1.5), paidGate(1.5)];
  for (let n = 0; n < 40; n += 1) {
    well.block([equal]);
    poor.block([{ legacy: 900, onNew: 900, events: 30, eventsOnNew: 10 }]);
  }
  expect(well.evidence()).toBeGreaterThan(20);
  expect(poor.evidence()).toBeLessThan(1);
});
