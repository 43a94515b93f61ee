/** What the cohorts of a cutover say about its other parts, and about the lists. */
import type { CutoverDraft, Draft } from "../load/draft.ts";
import { type Finding, type Path, repeated, wrong } from "../load/problems.ts";
import { hasParam } from "./shopper-checks.ts";

export function cohortFindings({ cohorts, routes }: CutoverDraft): Finding[] {
  const written = (key: "name" | "param", at: Path) =>
    cohorts.flatMap(({ path, value: { [key]: text } }) =>
      typeof text === "string" ? [{ path: [...path, ...at], value: text }] : [],
    );
  const isRouted = routes.every(({ path }) => path !== undefined);
  const strays = written("param", ["when", "param"]).filter(
    ({ value }) => isRouted && !routes.some((route) => hasParam(route, value)),
  );
  return [
    ...repeated(written("name", ["name"]), "expected a name of its own for each cohort"),
    ...strays.map(({ path }) => wrong(path, "expected a parameter that a route of this cutover has")),
  ];
}

export function cohortLists({ lists, cutovers }: Draft): Finding[] {
  const known = lists.map(({ value }) => value);
  const message = `expected a list of lists: ${known.length === 0 ? "there are none" : known.join(" or ")}`;
  return cutovers.flatMap(({ cohorts }) =>
    cohorts.flatMap(({ path, value: { list } }) =>
      typeof list !== "string" || known.includes(list) ? [] : [wrong([...path, "when", "list"], message)],
    ),
  );
}
