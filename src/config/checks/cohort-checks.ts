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
    const names = others.map(nameOf).join(", ");
    const message = `the same shoppers as those of ${names}, by other buckets: with both at 10%, 9% of them are on new here and on legacy there; a group for both gives each shopper one place`;
    return [unwise(first.path, message)];
  });
}

/** The links of a group are those of its first cutover that has any. */
export function linkWarnings({ cutovers }: Draft): Finding[] {
  return cutovers.flatMap(({ group, link, after }, index) => {
    if (link === undefined || group === undefined || after !== undefined) return [];
    const first = cutovers.slice(0, index).find((other) => other.group === group && other.link !== undefined);
    if (first === undefined) return [];
    const message = `without effect: in the group ${group} the link of ${nameOf(first)} counts, for all of its cutovers`;
    return [unwise(link.at, message)];
  });
}

/** Whoever is on new in a cutover is so in the one that it goes after: only of the same shoppers, by the same buckets. */
export function afterFindings({ cutovers }: Draft): Finding[] {
  return cutovers.flatMap((cutover) => {
    const { at, after, group, link } = cutover;
    if (after === undefined) return [];
    const path = [...at, "after"];
    const leader = leaderOf(cutovers, cutover);
    if (leader === undefined || leader === cutover) {
      const others = cutovers.filter((other) => other !== cutover).map(nameOf);
      const known = others.length === 0 ? "there is none" : others.join(" or ");
      return [wrong(path, `expected another cutover of this file: ${known}`)];
    }
    if (isItsOwnLeader(cutovers, cutover)) {
      return [wrong(path, "expected an order: in this one the cutover goes after itself")];
    }
    const found: Finding[] = [];
    if (saltIn(leader) !== saltIn(cutover)) {
      const message =
        "expected a cutover of the same group: by another salt shoppers have other buckets there";
      found.push(wrong(path, message));
    } else if (
      identityOf(leader) !== identityOf(cutover) &&
      (group === undefined || leader.group !== group)
    ) {
      const message = `expected the same as ${formatPath([...leader.at, "shopper"])}: it goes after that`;
      found.push(wrong([...at, "shopper"], message));
    }
    if (leader.trustedHeader !== cutover.trustedHeader) {
      found.push(wrong(path, `expected a cutover with the same trustedShopper: ${after} has another`));
    }
    if (link !== undefined) {
      const message = `expected no link: whoever logs in has the bucket here that he has in ${after}`;
      found.push(wrong(link.at, message));
    }
    return found;
  });
}

/** What a cutover that goes after another says in vain. */
export function afterWarnings({ cutovers }: Draft): Finding[] {
  return cutovers.flatMap((cutover) => {
    const { at, after, anonymous, cohorts, routes } = cutover;
    const leader = leaderOf(cutovers, cutover);
    if (leader === undefined || leader === cutover) return [];
    const found: Finding[] = [];
    if (!isOfSameShop(leader, cutover)) {
      const message = `${after} is for other hosts: whoever is there is hardly here, and this is held to its percent all the same`;
      found.push(unwise([...at, "after"], message));
    }
    if (anonymous === "new-at-100" && leader.anonymous !== "new-at-100") {
      const message = `without effect until ${after} is closed or has it as well: what names no shopper is on legacy there`;
      found.push(unwise([...at, "anonymous"], message));
    }
    const moved = leader.cohorts.filter(({ value }) => value.side === "new").map(({ value }) => value.name);
    for (const { path, value } of cohorts) {
      if (value.side !== "new" || moved.includes(value.name)) continue;
      const message = `no further than ${after} goes with them: that has no cohort ${String(value.name)} with side: new`;
      found.push(unwise([...path, "side"], message));
    }
    for (const { value } of leader.cohorts) {
      const { name, param } = value;
      if (typeof param !== "string" || routes.some((route) => hasParam(route, param))) continue;
      const message = `nobody is of the cohort ${String(name)} of ${after} here: it asks for the parameter ${param}, which no route of this cutover has`;
      found.push(unwise([...at, "after"], message));
    }
    return found;
  });
}

function leaderOf(cutovers: readonly CutoverDraft[], { after }: CutoverDraft): CutoverDraft | undefined {
  return after === undefined ? undefined : cutovers.find((other) => nameOf(other) === after);
}

function isItsOwnLeader(cutovers: readonly CutoverDraft[], cutover: CutoverDraft): boolean {
  const met = new Set<CutoverDraft>();
  for (let at = leaderOf(cutovers, cutover); at !== undefined && !met.has(at); at = leaderOf(cutovers, at)) {
    met.add(at);
  }
  return met.has(cutover);
}

function nameOf({ at }: CutoverDraft): string {
  return String(at.at(-1));
}

function saltIn(cutover: CutoverDraft): string {
  return cutover.salt ?? cutover.group ?? nameOf(cutover);
}

function isAlike(one: CutoverDraft, other: CutoverDraft): boolean {
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
