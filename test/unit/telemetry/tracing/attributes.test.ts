import { expect, test } from "vitest";
import { initialState } from "../../../../src/state/rules/model.ts";
import { attributesOf, decisionOf, methodOf } from "../../../../src/telemetry/tracing/attributes.ts";
import { recordOf } from "../../../support/exchange-record.ts";

test("a method that is none of HTTP's is not said", () => {
  expect(methodOf({ method: "PATCH" })).toBe("PATCH");
  expect(methodOf({ method: "SECRET" })).toBe("_OTHER");
});

test("what a request came to is said by the words of the access log, and what is not known is left out", () => {
  expect(attributesOf(recordOf({ code: "timeout", status: 504 }), "timeout")).toEqual({
    "http.request.method": "POST",
    "http.response.status_code": 504,
    "cutover.name": "checkout",
    "cutover.route": "pay",
    "cutover.side": "legacy",
    "cutover.outcome": "timeout",
    "cutover.code": "timeout",
  });
  const left = attributesOf(recordOf({ status: undefined }), "client_aborted");
  expect(Object.keys(left)).not.toContain("http.response.status_code");
  expect(Object.keys(left)).not.toContain("cutover.code");
});

test("what it was decided by is said, but not for whom", () => {
  expect(decisionOf(recordOf())).toEqual({});
  const decided = {
    decision: { side: "new", reason: "cohort" },
    state: { ...initialState(), percentThousandths: 4035, version: 7 },
    cohort: { name: "pilots", side: "new", startThousandths: 0 },
    bucket: 12,
    pin: undefined,
    keys: [],
    named: new Set<string>(),
    carried: false,
    shopper: { name: "anna", isVouched: true, keepsNone: false, isVisitor: false },
    identity: "anna",
    begun: undefined,
  } as const;
  expect(decisionOf(recordOf({ decided }))).toEqual({
    "cutover.reason": "cohort",
    "cutover.version": 7,
    "cutover.state": "open",
    "cutover.percent": 4.035,
    "cutover.cohort": "pilots",
    "cutover.bucket": 12,
  });
});
