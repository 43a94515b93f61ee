/** What a cutover says about who its shoppers are, and who may say so. */
import type { CutoverDraft } from "../load/draft.ts";
import { type Finding, unwise, wrong } from "../load/problems.ts";
import type { RouteDraft } from "../load/route-draft.ts";
import { isInBody, type Source } from "../values/source.ts";

/** What makes it wrong. */
export function shopperFindings(cutover: CutoverDraft): Finding[] {
  return [...trustedHeader(cutover), ...linkedNobody(cutover)];
}

/** What is allowed but probably not meant. */
export function shopperWarnings(cutover: CutoverDraft): Finding[] {
  return [
    ...shopperSources(cutover),
    ...sessionsOnly(cutover),
    ...namelessFirsts(cutover),
    ...unvouchedEnds(cutover),
    ...unvouchedHandovers(cutover),
  ];
}

export function hasParam({ path }: RouteDraft, name: string): boolean {
  return path?.segments.some((segment) => segment.kind === "param" && segment.name === name) ?? false;
}

/** It is trusted to name a shopper, and no source would read it. */
function trustedHeader({ at, shopper, trustedHeader: header }: CutoverDraft): Finding[] {
  if (header === undefined || shopper.some(({ value }) => value.kind === "header" && value.name === header))
    return [];
  const message = `expected a header that names the shopper: one of shopper as header:${header}`;
  return [wrong([...at, "trustedShopper", "header"], message)];
}

/** A link leads from a visitor to an account. */
function linkedNobody({ shopper, link }: CutoverDraft): Finding[] {
  if (link === undefined || shopper.length === 0) return [];
  if (shopper.findIndex(({ value }) => value.kind === "visitor") > 0) return [];
  return [
    wrong(
      link.at,
      "expected visitor in shopper, behind what names an account: a login leads from one to the other",
    ),
  ];
}

/**
 * Routes that a visitor may come to first, where nothing but a cookie names him, and only an answer could have given him
 * that: he goes to legacy then, and with his next request wherever his bucket says, without what he has put into his
 * cart. Of a header it cannot be known here whether an edge sets it for everybody.
 */
function namelessFirsts({ journey, shopper, owners, routes }: CutoverDraft): Finding[] {
  const [cookie] = shopper;
  if (journey === undefined || cookie === undefined) return [];
  if (shopper.some(({ value }) => value.kind !== "cookie" && value.kind !== "param")) return [];
  const keys = owners.flatMap((owner) => owner.keys);
  const isNamed = (route: RouteDraft) =>
    [...shopper, ...keys].some(({ value }) => value.kind === "param" && hasParam(route, value.name));
  const firsts = routes.flatMap((route, index) => {
    const mayBeFirst =
      route.journey?.start !== undefined || (route.journey === undefined && isVisited(route));
    return mayBeFirst && !route.payment && !isNamed(route) ? [`routes[${index}]`] : [];
  });
  if (firsts.length === 0) return [];
  const message = `a visitor's first request has no cookie yet and names nobody: it goes to legacy, the next one by its bucket; on ${firsts.join(", ")}. Add visitor, have a page that is on no route give the cookie, or an edge name everybody (trustedShopper)`;
  return [unwise(cookie.path, message)];
}

function isVisited({ methods }: RouteDraft): boolean {
  return methods === "all" || methods.includes("GET");
}

/** Whoever names a shopper must not end his journey; so none ends that nothing else tells. */
function unvouchedEnds({ journey, shopper, owners, routes, trustedHeader: header }: CutoverDraft): Finding[] {
  if (journey === undefined || !routes.some((route) => route.journey?.end !== undefined)) return [];
  if (owners.some(({ learned }) => learned)) return [];
  return shopper
    .filter(({ value: { kind, name } }) => !isOwnWord(kind) && !(kind === "header" && name === header))
    .map(({ path }) =>
      unwise(
        path,
        "anybody may name this shopper: without an owner that is learned or a trustedShopper nothing ends the journey of a client without cookies before maxTtl",
      ),
    );
}

/** A stranger who names somebody is not handed over in his place; so nobody is, where anybody may name everybody. */
function unvouchedHandovers({ handover, shopper, trustedHeader: header }: CutoverDraft): Finding[] {
  const isVouched = shopper.some(
    ({ value: { kind, name } }) => isOwnWord(kind) || (kind === "header" && name === header),
  );
  if (handover === undefined || isVouched || shopper.length === 0) return [];
  const message =
    "nobody is handed over: anybody may name every shopper; add visitor, a cookie, or a trustedShopper";
  return [unwise(handover.at, message)];
}

/** What nobody but its client can know. */
function isOwnWord(kind: Source["kind"]): boolean {
  return kind === "cookie" || kind === "visitor";
}

/**
 * A shop that meets a session it does not know gives another under the same name: so whoever goes over is another
 * shopper there, whose bucket may be on the side that he came from.
 */
function sessionsOnly({ shopper }: CutoverDraft): Finding[] {
  const [first] = shopper;
  if (first === undefined || shopper.some(({ value }) => value.kind !== "cookie")) return [];
  const message =
    "most shops renew a session cookie that is not theirs: a shopper who goes over is then another one, by another bucket; add visitor behind what names an account";
  return [unwise(first.path, message)];
}

function shopperSources({ shopper, routes }: CutoverDraft): Finding[] {
  const those = (lacks: (route: RouteDraft) => boolean) =>
    routes.flatMap((route, index) => (lacks(route) ? [`routes[${index}]`] : [])).join(", ");
  return shopper.flatMap(({ path, value }) => {
    if (value.kind === "param") {
      const without = those((route) => !hasParam(route, value.name));
      if (without === "") return [];
      return [unwise(path, `this source names no shopper on routes without the parameter: ${without}`)];
    }
    const without = isInBody(value) && value.kind !== "graphql" ? those(isBodiless) : "";
    if (without === "") return [];
    return [unwise(path, `this source names no shopper on routes whose requests have no body: ${without}`)];
  });
}

export function isBodiless({ methods }: RouteDraft): boolean {
  return methods !== "all" && methods.length > 0 && methods.every((one) => one === "GET" || one === "HEAD");
}
