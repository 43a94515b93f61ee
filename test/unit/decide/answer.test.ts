/** Which answers a step is made by, by what they hold. */
import { describe, expect, test } from "vitest";
import { parseCondition } from "../../../src/config/values/condition.ts";
import { type AnswerRule, judge } from "../../../src/decide/answer.ts";
import { readJson } from "../../../src/decide/body.ts";

function conditions(texts: readonly string[]) {
  return texts.map((text) => {
    const parsed = parseCondition(text);
    if (typeof parsed === "string") throw new Error(parsed);
    return parsed;
  });
}

interface Told {
  readonly status?: number;
  readonly fields?: readonly string[];
  /** JSON; absent: it could not be read. */
  readonly json?: unknown;
  readonly text?: string;
  readonly empty?: boolean;
}

/** Of a step that is made by 2xx. */
function verdict(rule: { when?: string[]; unless?: string[] }, told: Told) {
  const { status = 200, fields = [], json, text, empty } = told;
  const written: AnswerRule = {
    when: rule.when && conditions(rule.when),
    unless: rule.unless && conditions(rule.unless),
  };
  const fieldNames = fields.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  const body =
    json !== undefined
      ? { json: readJson(Buffer.from(JSON.stringify(json))) }
      : text === undefined
        ? undefined
        : { text };
  const view = { status, fields, fieldNames, body: empty ? ("empty" as const) : body };
  return judge(written, (one) => one >= 200 && one < 300, view);
}

describe("what is at a pointer", () => {
  test.each([
    [{ data: { pay: { code: "A1" } } }, "holds"],
    [{ data: { pay: { code: 0 } } }, "holds"],
    [{ data: { pay: { code: true } } }, "holds"],
    [{ data: { pay: { code: ["x"] } } }, "holds"],
    [{ data: { pay: { code: { a: null } } } }, "holds"],
    [{ data: { pay: { code: "" } } }, "fails"],
    [{ data: { pay: { code: null } } }, "fails"],
    [{ data: { pay: { code: false } } }, "fails"],
    [{ data: { pay: { code: [] } } }, "fails"],
    [{ data: { pay: { code: {} } } }, "fails"],
    [{ data: { pay: { errorCode: "DECLINED" } } }, "fails"],
    [{ data: null }, "fails"],
    [[], "fails"],
  ])("%j: when it is there, that %s; unless it is, the contrary", (json, expected) => {
    const contrary = expected === "holds" ? "fails" : "holds";
    expect(verdict({ when: ["json:/data/pay/code"] }, { json })).toBe(expected);
    expect(verdict({ unless: ["json:/data/pay/code"] }, { json })).toBe(contrary);
  });

  test("has a value: a text, a number as it was written, true or false", () => {
    const json = { state: "Settled", n: 1, ok: false, umlaut: "für" };
    expect(verdict({ when: ["json:/state=Settled"] }, { json })).toBe("holds");
    expect(verdict({ when: ["json:/state=settled"] }, { json })).toBe("fails");
    expect(verdict({ when: ["json:/n=1"] }, { json })).toBe("holds");
    expect(verdict({ when: ["json:/ok=false"] }, { json })).toBe("holds");
    expect(verdict({ when: ["json:/umlaut=für"] }, { json })).toBe("holds");
    expect(verdict({ when: ["json:/none="].map((text) => `${text}x`) }, { json })).toBe("fails");
    expect(verdict({ when: ["json:/state#^(?:Settled|Authorized)$"] }, { json })).toBe("holds");
    expect(verdict({ when: ["json:/state#^Auth"] }, { json })).toBe("fails");
    expect(verdict({ when: ["json:/state#Settled"] }, { json: { state: { Settled: 1 } } })).toBe("fails");
    expect(verdict({ when: ["json:/state#a"] }, { json: { state: "a".repeat(513) } })).toBe("unknown");
  });
});

test("a list of when is all of them, a list of unless none of them", () => {
  const json = { a: 1, b: 0, errors: [] };
  expect(verdict({ when: ["json:/a", "json:/b=0"], unless: ["json:/errors", "json:/c"] }, { json })).toBe(
    "holds",
  );
  expect(verdict({ when: ["json:/a", "json:/c"] }, { json })).toBe("fails");
  expect(verdict({ when: ["json:/a"], unless: ["json:/c", "json:/b=0"] }, { json })).toBe("fails");
});

test("a status under when stands in place of the step's own, and one under unless beside them", () => {
  expect(verdict({}, { status: 303 })).toBe("fails");
  expect(verdict({ when: ["status:2xx,303"] }, { status: 303 })).toBe("holds");
  expect(verdict({ when: ["status:2xx,303"] }, { status: 302 })).toBe("fails");
  expect(verdict({ when: ["status:402"] }, { status: 200 })).toBe("fails");
  expect(verdict({ unless: ["status:202"] }, { status: 202 })).toBe("fails");
  expect(verdict({ unless: ["status:202"] }, { status: 200 })).toBe("holds");
  expect(verdict({ unless: ["status:202"] }, { status: 404 })).toBe("fails");
});

test("a field is there when it is not empty", () => {
  const fields = ["X-Order-State", "paid", "X-Empty", ""];
  expect(verdict({ when: ["header:x-order-state"] }, { fields })).toBe("holds");
  expect(verdict({ when: ["header:x-order-state=paid"] }, { fields })).toBe("holds");
  expect(verdict({ when: ["header:x-order-state#^p"] }, { fields })).toBe("holds");
  expect(verdict({ when: ["header:x-empty"] }, { fields })).toBe("fails");
  expect(verdict({ unless: ["header:x-other"] }, { fields })).toBe("holds");
});

test("a body that is no JSON is searched, and one that takes too long to search is not", () => {
  expect(verdict({ unless: ['body:#class="error"'] }, { text: '<p class="error">' })).toBe("fails");
  expect(verdict({ unless: ['body:#class="error"'] }, { text: "<p>" })).toBe("holds");
  expect(verdict({ when: ["body:#[ab]{100}c"] }, { text: "a".repeat(200_000) })).toBe("unknown");
});

describe("what cannot be read", () => {
  test("is unknown, unless something else fails", () => {
    expect(verdict({ when: ["json:/a"] }, {})).toBe("unknown");
    expect(verdict({ unless: ["json:/errors"] }, {})).toBe("unknown");
    expect(verdict({ unless: ["json:/errors"] }, { text: "<html>" })).toBe("unknown");
    expect(verdict({ when: ["json:/a", "header:x-paid"] }, {})).toBe("fails");
    expect(verdict({ when: ["json:/a"] }, { status: 500 })).toBe("fails");
    expect(verdict({ when: ["json:/a"], unless: ["status:200"] }, {})).toBe("fails");
  });

  test("is not what is empty: there is nothing in that", () => {
    expect(verdict({ when: ["json:/a"] }, { empty: true })).toBe("fails");
    expect(verdict({ unless: ["json:/errors", "body:#error"] }, { status: 204, empty: true })).toBe("holds");
  });
});
