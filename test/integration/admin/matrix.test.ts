/** Every role, every action, every state: through the API, and what it leaves in the store. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { problemDetails } from "../../../src/admin/api/problem-details.ts";
import { writeAnswer } from "../../../src/admin/api/write.ts";
import { statusOf } from "../../../src/admin/problem.ts";
import {
  type Change,
  type CutoverState,
  changeActions,
  type Role,
  roles,
  type StateName,
  stateNames,
  transition,
} from "../../../src/state/rules/model.ts";
import { percentToNumber } from "../../../src/state/rules/percent.ts";
import { setTo, stateOf } from "../../support/commands.ts";
import { type Rig, secretOf, startRig, tokens } from "./rig.ts";

const wayTo: Record<StateName, readonly Change[]> = {
  open: [setTo(40)],
  held: [setTo(40), { action: "hold" }],
  rolled_back: [setTo(40), { action: "rollback" }],
  closed: [setTo(100), { action: "close" }],
};

const inAnHour = new Date(Date.now() + 3_600_000).toISOString();

/** A raise, a lower and neither are three actions. */
function changesFrom({ percentThousandths }: CutoverState): readonly Change[] {
  return changeActions.flatMap((action): readonly Change[] => {
    if (action === "maintain") return [{ action, side: "legacy", until: inAnHour }];
    if (action !== "set") return [{ action }];
    return [0, percentThousandths, 100_000].map((to) => ({ action, percentThousandths: to }));
  });
}

const cells = roles.flatMap((role) => stateNames.flatMap((state) => ({ role, state })));
/** One cutover a cell, so that none meets what another left. */
const nameOf = (role: Role, state: StateName, at: number) => `${role}-${state}-${at}`.replace("_", "-");
const most = changeActions.length + 2;
const names = cells.flatMap(({ role, state }) =>
  Array.from({ length: most }, (_, at) => nameOf(role, state, at)),
);

let rig: Rig;
beforeAll(async () => {
  const cutovers = Object.fromEntries(names.map((name) => [name, { legacy: "old", new: "next" }]));
  rig = await startRig({ auth: tokens, cutovers });
});
afterAll(() => rig.close());

function callOf(change: Change): readonly [method: string, call: string, body: Record<string, unknown>] {
  const common = { reason: "because", waitMs: 0 };
  if (change.action === "set") {
    return ["PUT", "percent", { ...common, percent: percentToNumber(change.percentThousandths) }];
  }
  if (change.action === "maintain") {
    return ["PUT", "maintenance", { ...common, side: change.side, until: change.until }];
  }
  if (change.action === "rollback_hard") return ["POST", "rollback", { ...common, hard: true }];
  return ["POST", change.action, common];
}

describe.each(cells)("$role, $state", ({ role, state }) => {
  test("is answered as the rule book says, for every action, and the store stands so", async () => {
    for (const at of Array.from({ length: most }, (_, index) => index)) {
      const name = nameOf(role, state, at);
      for (const change of wayTo[state]) await rig.change(name, change);
      const before = await stateOf(rig.store, name);
      expect(before.state).toBe(state);
      const change = changesFrom(before)[at];
      if (change === undefined) throw new Error("more cells than actions");
      const actor = { name: `ops-${role}`, role };
      const expected = transition(before, { change, actor, reason: "because", at: "" });
      const [method, call, body] = callOf(change);
      const reply = await rig.call(method, `/api/v1/cutovers/${name}/${call}`, body, { role });
      const label = `${role} ${state} ${JSON.stringify(change)}: ${reply.text}`;
      const after = await stateOf(rig.store, name);
      if (expected.accepted) {
        expect(reply.status, label).toBe(200);
        const { updatedAt: _, ...next } = expected.next;
        expect(after, label).toMatchObject(next);
        expect(writeAnswer.parse(reply.json), label).toMatchObject({
          changed: expected.changed,
          version: next.version,
          state: next.state,
          percent: percentToNumber(next.percentThousandths),
        });
      } else {
        expect(problemDetails.parse(reply.json).code, label).toBe(expected.code);
        expect(reply.status, label).toBe(statusOf[expected.code]);
        expect(after, label).toEqual(before);
      }
    }
  });

  test("may read, whoever asks", async () => {
    const reply = await rig.call("GET", `/api/v1/cutovers/${nameOf(role, state, 0)}`, undefined, {
      headers: { authorization: `Bearer ${secretOf(role)}` },
    });
    expect(reply.status).toBe(200);
  });
});
