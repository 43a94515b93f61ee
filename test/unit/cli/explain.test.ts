import { expect, test } from "vitest";
import { explanationSentence } from "../../../src/cli/explain.ts";
import { reasons } from "../../../src/decide/decide.ts";

const told = { side: "new", reason: "bucket", bucket: 4321, percent: 10, version: 43 } as const;

test("tells the bucket against the percent", () => {
  expect(explanationSentence("checkout", told)).toBe(
    "checkout: new, because the shopper's bucket 4321 is below 10000, which is 10% of 100000; version 43 at 10%.",
  );
  expect(explanationSentence("checkout", { ...told, side: "legacy", bucket: 50_000 })).toContain(
    "legacy, because the shopper's bucket 50000 is not below 10000",
  );
});

test.each(reasons.filter((reason) => reason !== "bucket"))("has a sentence for %s", (reason) => {
  expect(explanationSentence("checkout", { ...told, reason, bucket: null })).not.toContain(`of ${reason}`);
});

test("passes on a reason it has no sentence for", () => {
  expect(explanationSentence("checkout", { ...told, reason: "moon" })).toContain(
    "because of moon (bucket 4321)",
  );
});
