import { expect, test } from "vitest";
import { chatText, messageOf, newsIn } from "../../../src/notify/message.ts";
import { type CutoverState, initialState } from "../../../src/state/rules/model.ts";

const at = (change: Partial<CutoverState>): CutoverState => ({ ...initialState(), version: 5, ...change });
const open = at({ percentThousandths: 10_000 });
const rolledBack = at({ state: "rolled_back" });

test.each<[string, CutoverState, Partial<CutoverState>, string | undefined]>([
  ["a raise", open, { percentThousandths: 20_000 }, "raise"],
  ["a cohort's raise", at({ cohorts: { jakarta: 0 } }), { cohorts: { jakarta: 5000 } }, "raise"],
  ["a step of the plan", open, { percentThousandths: 20_000, updatedBy: "plan" }, "advance"],
  ["a lowering", open, { percentThousandths: 5000 }, undefined],
  ["a rollback", open, { state: "rolled_back" }, "rollback"],
  ["a hard one behind it", rolledBack, { state: "rolled_back", pinEpoch: 1 }, "rollback"],
  ["a note on it", rolledBack, { state: "rolled_back" }, undefined],
  ["a hold", open, { state: "held", percentThousandths: 10_000 }, "hold"],
  ["a resume", at({ state: "held" }), {}, undefined],
  ["what is read at a start", initialState(), { percentThousandths: 50_000, version: 7 }, undefined],
  ["the first change of all", initialState(), { percentThousandths: 1000, version: 1 }, "raise"],
])("%s is told as %4$s", (_, before, change, kind) => {
  expect(newsIn(before, at({ version: before.version + 1, ...change }))).toBe(kind);
});

const to = at({
  state: "rolled_back",
  version: 43,
  updatedBy: "guard",
  updatedAt: "T",
  reason: "a < b & <!channel>",
});

test("a message is the same whoever makes it, in one order of keys", () => {
  const message = messageOf({ cutover: "checkout", kind: "rollback", from: open, to });
  expect(JSON.stringify(message)).toBe(
    '{"type":"cutover.rollback","timestamp":"T","data":{"id":"cutover_checkout_43_rollback","cutover":"checkout","version":43,' +
      '"from":{"percent":10,"state":"open"},"to":{"percent":0,"state":"rolled_back"},"by":"guard","reason":"a < b & <!channel>","scope":"fleet"}}',
  );
});

test("a chat is told in one text, in which a reason can mention nobody", () => {
  expect(chatText("rollback", messageOf({ cutover: "checkout", kind: "rollback", from: open, to }))).toBe(
    "checkout: ROLLED BACK, 10% → 0% on new, by guard: a &lt; b &amp; &lt;!channel&gt; (version 43)",
  );
  const proposal = messageOf({
    cutover: "checkout",
    kind: "proposal",
    to,
    by: "ann",
    reason: "",
    which: "ab12",
  });
  expect(proposal.data.id).toBe("cutover_checkout_43_proposal_ab12");
  expect(chatText("proposal", { ...proposal, data: { ...proposal.data, scope: "local" } })).toBe(
    "checkout: waits for another person, on one instance alone, 0% on new, by ann (version 43)",
  );
});
