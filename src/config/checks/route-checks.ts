/** What routes say about one another: those of all cutovers and the fixed ones, by host, path and method. */
import type { CutoverDraft, Draft } from "../load/draft.ts";
import type { Located } from "../load/drafting.ts";
import { type Finding, formatPath, type Path, repeated, unwise, wrong } from "../load/problems.ts";
import type { FixedDraft, PlaceDraft } from "../load/route-draft.ts";
import { coversHost } from "../values/hosts.ts";
import type { PathPattern } from "../values/path.ts";
import { asksSame } from "./when-checks.ts";

/** What makes them wrong. */
export function routeFindings(draft: Draft): Finding[] {
  return [
    ...samePaths(draft),
    ...repeatedHosts(draft),
    ...draft.cutovers.flatMap(hostsOfOthers),
    ...fixedNames(draft),
    ...draft.fixed.flatMap(exceptions),
  ];
}

/** What is allowed but probably not meant. */
export function routeWarnings(draft: Draft): Finding[] {
  return [
    ...coveredHosts(draft),
    ...draft.cutovers.flatMap(unusedHosts),
    ...shadows(draft),
    ...unreachedDefaults(draft),
  ];
}

/** A route, with the hosts that it is for: its own, or its cutover's. */
interface Claim {
  readonly route: PlaceDraft;
  /** Absent: every host. */
  readonly hosts: readonly string[] | undefined;
  /** The cutover that it is of. */
  readonly of: CutoverDraft | undefined;
  readonly except: readonly PathPattern[];
}

function claimsOf({ cutovers, fixed }: Draft): Claim[] {
  const valuesOf = (hosts: readonly Located<string>[] | undefined) => hosts?.map(({ value }) => value);
  return [
    ...cutovers.flatMap((of) =>
      of.routes.map((route) => ({ route, of, hosts: valuesOf(route.hosts ?? of.hosts), except: [] })),
    ),
    ...fixed.map((route) => ({
      route,
      of: undefined,
      hosts: valuesOf(route.hosts),
      except: route.except.map(({ value }) => value),
    })),
  ];
}

/**
 * Two routes that claim the same requests with the same pattern: which one won would be chance. Where one of them asks for
 * more it is asked first.
 */
function samePaths(draft: Draft): Finding[] {
  const claims = new Map<string, Claim[]>();
  const findings: Finding[] = [];
  for (const claim of claimsOf(draft)) {
    const { path, at } = claim.route;
    if (path === undefined) continue;
    const shape = shapeOf(path);
    const earlier = claims.get(shape) ?? [];
    const rival = earlier.find(
      (other) =>
        hostsMeet(other, claim) &&
        methodsMeet(other.route, claim.route) &&
        asksSame(other.route, claim.route),
    );
    if (rival !== undefined) {
      const key = claim.route.saysWhen ? "when" : "path";
      const unasked = claim.hosts === undefined ? "a path, or methods," : "a path, methods or hosts";
      const own = claim.route.saysWhen ? "a when" : unasked;
      const message = `expected ${own} of its own: the same as ${formatPath([...rival.route.at, key])}`;
      const finding = wrong([...at, key], message);
      findings.push(claim.route.saysWhen ? { ...finding, on: "key", found: "unsaid" } : finding);
    }
    claims.set(shape, [...earlier, claim]);
  }
  return findings;
}

/** Parameters match the same segments whatever their names. */
function shapeOf({ segments, prefix }: PathPattern): string {
  const texts = segments.map((segment) => (segment.kind === "param" ? ":" : segment.text));
  return `${prefix ? "prefix" : "exact"} /${texts.join("/")}`;
}

function methodsMeet(one: PlaceDraft, other: PlaceDraft): boolean {
  if (one.methods === "all" || other.methods === "all") return true;
  const { methods } = other;
  return one.methods.some((method) => methods.includes(method));
}

/** Whether they stand in one layer: of different ones the more specific wins. */
function hostsMeet({ hosts: one }: Claim, { hosts: other }: Claim): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.some((host) => other.includes(host));
}

/** Every list of hosts. */
function hostLists({ cutovers, fixed }: Draft): (readonly Located<string>[])[] {
  const owners = [...cutovers, ...cutovers.flatMap(({ routes }) => routes), ...fixed];
  return owners.flatMap(({ hosts }) => (hosts === undefined ? [] : [hosts]));
}

function repeatedHosts(draft: Draft): Finding[] {
  const keys = draft.hosts.map(({ at, host }) => ({ path: at, value: host }));
  const ofKeys = repeated(keys, "expected each host once").map(
    (finding): Finding => ({ ...finding, on: "key", found: "unsaid" }),
  );
  return [...ofKeys, ...hostLists(draft).flatMap((hosts) => repeated(hosts, "expected each host once"))];
}

/** A host that is one of another of the same list. */
function coveredHosts(draft: Draft): Finding[] {
  return hostLists(draft).flatMap((hosts) =>
    hosts.flatMap(({ path, value }) => {
      const wide = hosts.find((other) => other.value !== value && coversHost(other.value, value));
      return wide === undefined ? [] : [unwise(path, `it is one of ${wide.value} already`)];
    }),
  );
}

/** A route of a cutover is for no other hosts than the cutover. */
function hostsOfOthers({ hosts, routes }: CutoverDraft): Finding[] {
  if (hosts === undefined) return [];
  return routes
    .flatMap((route) => route.hosts ?? [])
    .filter(({ value }) => !hosts.some((wide) => coversHost(wide.value, value)))
    .map(({ path }) => wrong(path, "expected a host that is one of the cutover's hosts"));
}

/** A host of a cutover that none of its routes is for. */
function unusedHosts({ hosts = [], routes }: CutoverDraft): Finding[] {
  if (routes.some((route) => route.hosts === undefined)) return [];
  const used = routes.flatMap((route) => route.hosts ?? []);
  return hosts
    .filter(({ value }) => !used.some((host) => coversHost(value, host.value)))
    .map(({ path }) => unwise(path, "no route of this cutover is for it: each names hosts of its own"));
}

function fixedNames({ fixed }: Draft): Finding[] {
  const names = fixed.flatMap(({ at, name }) => {
    return name === undefined ? [] : [{ path: [...at, "name"], value: name }];
  });
  const taken = names.filter(({ value }) => value === "none");
  return [
    ...repeated(names, "expected a name of its own for each fixed route"),
    ...taken.map(({ path }) => wrong(path, "expected another name: what is on no route is counted as none")),
  ];
}

function exceptions({ path: whole, except }: FixedDraft): Finding[] {
  const written = except.map(({ path, value }) => ({ path, value: shapeOf(value) }));
  return [
    ...repeated(written, "expected each exception once"),
    ...except.flatMap(({ path, value }) => {
      if (whole === undefined) return [];
      if (!isWithin(value, whole)) return [wrong(path, "expected a path that the route's own includes")];
      return isWithin(whole, value)
        ? [wrong(path, "expected less than the route's own path: nothing of it is left")]
        : [];
    }),
  ];
}

/** Whether every path of `narrow` is one of `wide`. */
function isWithin(narrow: PathPattern, wide: PathPattern): boolean {
  const [some, all] = [narrow.segments, wide.segments];
  const isAsLong = wide.prefix
    ? some.length > all.length || (narrow.prefix && some.length === all.length)
    : !narrow.prefix && some.length === all.length;
  if (!isAsLong) return false;
  return all.every((segment, at) => {
    const own = some[at];
    if (segment.kind === "literal") return own?.kind === "literal" && own.text === segment.text;
    return own?.kind === "param" || own?.text !== "";
  });
}

/** Whether some path is of both. */
function meet(one: PathPattern, other: PathPattern): boolean {
  const [few, many] = one.segments.length <= other.segments.length ? [one, other] : [other, one];
  const isAsLong = few.segments.length === many.segments.length ? few.prefix === many.prefix : few.prefix;
  // A prefix of as many segments goes on where an exact path ends.
  if (!isAsLong) return false;
  return few.segments.every((segment, at) => {
    const rival = many.segments[at];
    if (segment.kind === "param") return rival?.kind === "param" || rival?.text !== "";
    return rival?.kind === "param" ? segment.text !== "" : rival?.text === segment.text;
  });
}

/** Which of two that meet wins in one layer: the first difference from the left. @returns whether `one` does */
function isMoreSpecific(one: PathPattern, other: PathPattern): boolean {
  for (const [at, segment] of one.segments.entries()) {
    const rival = other.segments[at];
    if (rival === undefined) return true;
    if (segment.kind !== rival.kind) return segment.kind === "literal";
  }
  return false;
}

/**
 * Requests that a cutover's route seems to take, and another one has: part of them, by a fixed route; or all of them on
 * some host, by whatever route names that host more exactly.
 */
function shadows(draft: Draft): Finding[] {
  const claims = claimsOf(draft);
  return claims.flatMap((claim) => {
    const hidden = claims.flatMap((other) => {
      const how = other.of === undefined || other.of === claim.of ? undefined : shadowed(claim, other);
      return how === undefined ? [] : [`${how} of ${formatPath(other.route.at)}`];
    });
    const [first, ...more] = hidden;
    if (first === undefined) return [];
    const others = more.length === 0 ? "" : `, and of ${more.length} more routes`;
    const stay = claim.of === undefined ? ": these move with no percent" : "";
    return [unwise([...claim.route.at, "path"], `this route takes ${first}${others}${stay}`)];
  });
}

/** @returns how much of the other's requests the claim has, where that may be no wish */
function shadowed(claim: Claim, other: Claim): string | undefined {
  const [path, its] = [claim.route.path, other.route.path];
  if (path === undefined || its === undefined) return undefined;
  if (!methodsMeet(claim.route, other.route) || !meet(path, its)) return undefined;
  if (claim.except.some((exception) => isWithin(its, exception))) return undefined;
  const nearer = nearerHosts(claim, other);
  const isWhole =
    !claim.route.saysWhen &&
    isWithin(its, path) &&
    takesMethodsOf(claim.route, other.route) &&
    !claim.except.some((exception) => meet(exception, its));
  if (nearer.length > 0 && isWhole) return `all requests for ${nearer.join(", ")}`;
  if (claim.of !== undefined) return undefined;
  if (nearer.length > 0) return `some of the requests for ${nearer.join(", ")}`;
  return hostsMeet(claim, other) && isMoreSpecific(path, its) ? "some of the requests" : undefined;
}

/** The hosts of the claim that are the other's too, and by which the claim is asked first. */
function nearerHosts({ hosts = [] }: Claim, { hosts: others }: Claim): string[] {
  return hosts.filter((host) => {
    if (others === undefined) return true;
    return !others.includes(host) && others.some((wide) => coversHost(wide, host));
  });
}

function takesMethodsOf(one: PlaceDraft, other: PlaceDraft): boolean {
  if (one.methods === "all") return true;
  const { methods } = one;
  return other.methods !== "all" && other.methods.every((method) => methods.includes(method));
}

/** A host's default where one of its routes takes every path. */
function unreachedDefaults(draft: Draft): Finding[] {
  const wholes = wholeClaims(draft);
  return draft.hosts.flatMap(({ at, host }): Finding[] => {
    const whole = wholes.find(
      ({ hosts }) => hosts === undefined || hosts.some((one) => coversHost(one, host)),
    );
    if (whole === undefined) return [];
    const path: Path = [...at, "default"];
    return [unwise(path, `nothing goes there: ${formatPath(whole.route.at)} takes every path of this host`)];
  });
}

/** Whether a route has every path and method of every host, so that nothing is on none. */
export function takesEverything(draft: Draft): boolean {
  return wholeClaims(draft).some(({ hosts }) => hosts === undefined);
}

/** Those that have every path and method of their hosts, whatever is asked. */
function wholeClaims(draft: Draft): Claim[] {
  return claimsOf(draft).filter(({ route: { path, methods, saysWhen }, except }) => {
    if (saysWhen || methods !== "all" || except.length > 0) return false;
    return path?.prefix === true && path.segments.length === 0;
  });
}

/** What is unpaid is known of orders that are learned, and that some answer finishes. */
export function exposureWithoutOrders({ exposure, owners, routes }: CutoverDraft): Finding[] {
  if (exposure === undefined) return [];
  const areLearned = owners.some(({ learned, what }) => learned && what !== "cart" && what !== "other");
  const areFinished = routes.some(({ payment, finishes, journey }) => {
    return payment || finishes === true || typeof finishes === "object" || journey?.end !== undefined;
  });
  if (areLearned && areFinished) return [];
  const message =
    "expected an owner with learn, and a route with payment: true or journey: end: without them no order is known to be unpaid";
  return [{ path: exposure, on: "key", found: "unsaid", message }];
}
