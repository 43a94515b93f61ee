import { expect, test } from "vitest";
import { reasons } from "../../../src/decide/decide.ts";
import { decisionSentence, type Told } from "../../../src/decide/sentence.ts";

const told: Told = {
  side: "new",
  reason: "bucket",
  bucket: 4321,
  percentThousandths: 10_000,
  version: 43,
  owning: undefined,
};

test("the sentence tells the bucket against the percent", () => {
  expect(decisionSentence(told)).toBe(
    "new, because the shopper's bucket 4321 is below 10000, which is 10% of 100000; version 43 at 10%.",
  );
  expect(decisionSentence({ ...told, side: "legacy", bucket: 50_000, percentThousandths: 4035 })).toBe(
    "legacy, because the shopper's bucket 50000 is not below 4035, which is 4.035% of 100000; version 43 at 4.035%.",
  );
});

test.each(reasons)("a decision by %s is told in one sentence", (reason) => {
  const sentence = decisionSentence({ ...told, reason });
  expect(sentence).toMatch(/^new, because [a-z][^.]*4321[^.]*; version 43 at 10%\.$/);
});

test("the sentence says that an account goes by a bucket that it has of a login", () => {
  expect(decisionSentence({ ...told, isLinked: true })).toContain(
    "which is 10% of 100000; the account goes by that bucket since its login or its visit, on all its devices; version 43",
  );
});

test("what names nobody moves at 100% alone", () => {
  const nobody = { ...told, reason: "anonymous", bucket: undefined } as const;
  expect(decisionSentence({ ...nobody, percentThousandths: 100_000 })).toBe(
    "new, because the request names no shopper, and at 100% that goes there as well; version 43 at 100%.",
  );
  expect(decisionSentence({ ...nobody, side: "legacy" })).toContain(
    "legacy, because the request names no shopper; v",
  );
});

test("the sentence says how the owner of a key is known", () => {
  const owned = { ...told, reason: "owner", bucket: undefined } as const;
  expect(decisionSentence({ ...owned, owning: "record" })).toContain("it owns the order or the key");
  expect(decisionSentence({ ...owned, owning: "pattern" })).toContain("the key's form says");
  expect(decisionSentence({ ...told, owning: "nobody" })).toContain("; nobody owns the key; version");
  expect(decisionSentence({ ...told, owning: "unknown" })).toContain("while the store does not say");
});
