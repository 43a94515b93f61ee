import { describe, expect, test } from "vitest";
import { problemCodes, problemDetails } from "../../../src/admin/api/problem-details.ts";
import { problemFor, problemOf, Refused, refusedByRules, statusOf } from "../../../src/admin/problem.ts";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { initialState } from "../../../src/state/rules/model.ts";

describe("a problem", () => {
  test("has a status and the status's own title for every code (RFC 9457 §4.2.1)", () => {
    for (const code of problemCodes) {
      const made = problemDetails.strict().parse(problemOf(code, "why"));
      expect(made).toMatchObject({ type: "about:blank", code, status: statusOf[code], detail: "why" });
      expect(made.title).not.toBe("");
    }
  });

  test("of a refused change tells how the cutover stands", () => {
    const refused = refusedByRules("held", {
      ...initialState(),
      percentThousandths: 4035,
      state: "held",
      version: 7,
    });
    expect(problemFor(refused)).toMatchObject({
      status: 409,
      code: "held",
      current: { percent: 4.035, state: "held", version: 7 },
    });
  });

  test("of a lost store is 503", () => {
    expect(problemFor(new StoreUnavailable("redis://user:secret@host"))).toMatchObject({
      code: "store_unavailable",
    });
    expect(JSON.stringify(problemFor(new StoreUnavailable("redis://user:secret@host")))).not.toContain(
      "secret",
    );
  });

  test("of anything unforeseen is internal and says nothing of it", () => {
    for (const thrown of [
      new Error("a secret"),
      "a secret",
      null,
      undefined,
      { code: 7, statusCode: "x" },
      404,
    ]) {
      const made = problemFor(thrown);
      expect(made).toMatchObject({ status: 500, code: "internal" });
      expect(JSON.stringify(made)).not.toContain("a secret");
    }
  });

  test("keeps what was refused on purpose", () => {
    expect(problemFor(new Refused("not_found", "no such cutover"))).toEqual(
      problemOf("not_found", "no such cutover"),
    );
  });
});
