import { describe, expect, test } from "vitest";
import { parseCondition } from "../../../../src/config/values/condition.ts";

describe("a condition", () => {
  test.each([
    ["status:2xx", { kind: "status", classes: [2], codes: [] }],
    ["status:2xx, 303,402", { kind: "status", classes: [2], codes: [303, 402] }],
    ["header:X-Paid", { kind: "header", name: "x-paid", value: undefined }],
    ["header:X-Paid=yes=1", { kind: "header", name: "x-paid", value: "yes=1" }],
    ["json:/data/pay/code", { kind: "json", name: "/data/pay/code", value: undefined }],
    ["json:/state=#1", { kind: "json", name: "/state", value: "#1" }],
    ["json:/state#^(?:Settled|Authorized)$", { kind: "json", name: "/state", value: undefined }],
    ["body:#<Result>OK</Result>", { kind: "body", name: "", value: undefined }],
  ])("%s", (text, expected) => {
    expect(parseCondition(text)).toMatchObject(expected);
  });

  test.each([
    "",
    "status:",
    "status:200-299",
    "status:1xx",
    "status:99",
    "header:",
    "header:a b",
    "header:x=",
    "header:x#(",
    "json:code",
    "json:/~2",
    "json:/a#(?=b)",
    "body:",
    "body:x#a",
    "body:=a",
    "body:#.{1000}.{999}",
    "cookie:sid",
    "param:orderId",
  ])("%j is refused with what was expected", (text) => {
    expect(parseCondition(text)).toMatch(/^expected /);
  });
});
