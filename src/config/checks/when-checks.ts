/** What a cutover says of requests that share a path, and of the documents in them. */
import type { CutoverDraft } from "../load/draft.ts";
import { type Finding, wrong } from "../load/problems.ts";
import type { PlaceDraft } from "../load/route-draft.ts";
import { keyOfWhen } from "../values/when.ts";
import { isBodiless } from "./shopper-checks.ts";

/** What makes it wrong. */
export function whenFindings(cutover: CutoverDraft): Finding[] {
  return [...learnedFromDocuments(cutover), ...bodiesOfReads(cutover)];
}

/** Whether two routes ask for the same. Of a `when` that could not be read nothing is known. */
export function asksSame(one: PlaceDraft, other: PlaceDraft): boolean {
  if (one.when === undefined || other.when === undefined) return !one.saysWhen && !other.saysWhen;
  return keyOfWhen(one.when) === keyOfWhen(other.when);
}

function learnedFromDocuments({ owners }: CutoverDraft): Finding[] {
  return owners
    .flatMap(({ learns }) => learns)
    .filter(({ value }) => value.kind === "graphql")
    .map(({ path }) => wrong(path, "expected json:/data/…: an answer has no GraphQL document"));
}

/** Requests for reading have no body that could tell their route. */
function bodiesOfReads({ routes }: CutoverDraft): Finding[] {
  return routes.filter(isBodiless).flatMap(({ at, when }) =>
    (["json", "form"] as const).flatMap((kind) => {
      const message = "expected methods that have a body: this route is for reading";
      return when?.[kind] === undefined
        ? []
        : [{ ...wrong([...at, "when", kind], message), found: "unsaid" }];
    }),
  );
}
