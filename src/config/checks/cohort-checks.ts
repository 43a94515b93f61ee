/** What the cohorts of a cutover say about its other parts, and about the lists. */
import type { CutoverDraft, Draft } from "../load/draft.ts";
import { type Finding, formatPath, type Path, repeated, unwise, wrong } from "../load/problems.ts";
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

/** Cutovers of one group are to send one shopper to one side: by one salt, of one identity. */
export function groupFindings({ cutovers }: Draft): Finding[] {
  return cutovers.flatMap((cutover, index) => {
    const { at, group, salt } = cutover;
    if (group === undefined) return [];
    const own =
      salt === undefined ? [] : [wrong([...at, "salt"], "expected no salt: that of a group is its name")];
    const first = cutovers.slice(0, index).find((other) => other.group === group);
    if (first === undefined || identityOf(first) === identityOf(cutover)) return own;
    const message = `expected the same as ${formatPath([...first.at, "shopper"])}: they are of one group`;
    return [...own, wrong([...at, "shopper"], message)];
  });
}

/** Each shopper has a place of his own in each cutover, where these are of no group. */
export function groupWarnings({ cutovers }: Draft): Finding[] {
  return cutovers.flatMap((cutover, index) => {
    const [first] = cutover.shopper;
    const others = cutovers.slice(0, index).filter((other) => isAlike(cutover, other));
    if (first === undefined || others.length === 0) return [];
    const names = others.map(({ at }) => at.at(-1)).join(", ");
    const message = `the same shoppers as those of ${names}, by other buckets: with both at 10%, 9% of them are on new here and on legacy there; a group for both gives each shopper one place`;
    return [unwise(first.path, message)];
  });
}

function isAlike(one: CutoverDraft, other: CutoverDraft): boolean {
  const saltIn = ({ salt, group, at }: CutoverDraft) => salt ?? group ?? at.at(-1);
  if (saltIn(one) === saltIn(other) || one.shopper.length === 0) return false;
  return identityOf(one) === identityOf(other) && isOfSameShop(one, other);
}

/** What is of other hosts is of another country or another shop. */
function isOfSameShop({ hosts: one }: CutoverDraft, { hosts: other }: CutoverDraft): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.some(({ value }) => other.some((host) => host.value === value));
}

function identityOf({ shopper }: CutoverDraft): string {
  return shopper.map(({ value }) => value.text).join(" ");
}
