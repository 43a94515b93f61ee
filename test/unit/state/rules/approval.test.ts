import { describe, expect, test } from "vitest";
import { approvalOf, type Proposal, raisedThousandthsBy } from "../../../../src/state/rules/approval.ts";

const at100 = { percentThousandths: 100_000, state: "open", version: 7 };
const proposal: Proposal = {
  id: "p",
  action: "close",
  percentThousandths: 100_000,
  version: 7,
  by: "ann",
  reason: "",
  at: "",
  expiresAt: "",
};
const ann = { name: "ann" };
const bob = { name: "bob" };
const close = { action: "close" } as const;

describe("a close", () => {
  test("needs another person, however much one may raise alone", () => {
    const fourEyes = { overThousandths: 100_000 };
    expect(approvalOf(at100, { change: close, actor: ann, fourEyes })).toBe("required");
    expect(approvalOf(at100, { change: close, actor: ann, fourEyes: { ...fourEyes, proposal } })).toBe(
      "required",
    );
    expect(approvalOf(at100, { change: close, actor: bob, fourEyes: { ...fourEyes, proposal } })).toBe(
      proposal,
    );
    expect(approvalOf(at100, { change: close, actor: ann })).toBe("none");
  });

  test("is not approved by a proposed raise, nor a raise by a proposed close", () => {
    const { action: _, ...raise } = proposal;
    const fourEyes = { overThousandths: 0, proposal: raise };
    expect(approvalOf(at100, { change: close, actor: bob, fourEyes })).toBe("required");
    const below = { ...at100, percentThousandths: 50_000 };
    const change = { action: "set", percentThousandths: 100_000 };
    const byClose = { overThousandths: 0, proposal };
    expect(approvalOf(below, { change, actor: bob, fourEyes: byClose })).toBe("required");
    expect(approvalOf(below, { change, actor: bob, fourEyes })).toBe(raise);
  });
});

describe("what one person has raised alone", () => {
  const entry = (by: string, from: number, to: number, more: object = {}) => ({
    at: "2025-03-01T12:00:00.000Z",
    by,
    action: "set",
    from: { percentThousandths: from },
    to: { percentThousandths: to },
    ...more,
  });
  const since = "2025-03-01T11:30:00.000Z";

  test("is added up, and a lower in between gives nothing back", () => {
    const history = [entry("ann", 0, 6000), entry("ann", 6000, 0), entry("ann", 0, 5000)];
    expect(raisedThousandthsBy("ann", history, since)).toBe(11_000);
  });

  test("is not what another person, two people or a plan have raised, nor what is older", () => {
    const history = [
      entry("bob", 0, 6000),
      entry("ann, approved by bob", 6000, 50_000),
      entry("ann", 50_000, 60_000, { via: "plan" }),
      entry("ann", 60_000, 70_000, { at: "2025-03-01T11:29:59.999Z" }),
      entry("ann", 70_000, 71_000, { at: since }),
    ];
    expect(raisedThousandthsBy("ann", history, since)).toBe(1000);
  });
});
