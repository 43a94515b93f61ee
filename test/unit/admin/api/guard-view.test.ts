import { expect, test } from "vitest";
import { guardViewOf } from "../../../../src/admin/api/guard/guard-view.ts";

const none = { verdict: null, because: [], action: null };

test.each([
  ["unguarded" as const, { guarded: false, ...none, sentence: "it has no guard" }],
  [undefined, { guarded: true, ...none, sentence: "it is not judged now" }],
  [
    { verdict: "worse", because: ["failures"], action: "hold", sentence: "why" },
    { guarded: true, verdict: "worse", because: ["failures"], action: "hold", sentence: "why" },
  ],
  [
    { verdict: "healthy", because: [], sentence: "why" },
    { guarded: true, verdict: "healthy", because: [], action: null, sentence: "why" },
  ],
])("%j is told as it is", (judged, view) => {
  expect(guardViewOf(judged)).toEqual(view);
});
