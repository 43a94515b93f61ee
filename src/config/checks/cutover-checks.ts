/** What one part of a cutover says about another part of the same cutover. */
import type { CutoverDraft } from "../load/draft.ts";
import { type Finding, repeated, unwise, wrong } from "../load/problems.ts";
import type { Condition } from "../values/condition.ts";
import { cohortFindings } from "./cohort-checks.ts";
import { exposureWithoutOrders } from "./route-checks.ts";
import { hasParam, isBodiless, shopperFindings, shopperWarnings } from "./shopper-checks.ts";
import { whenFindings } from "./when-checks.ts";

/** What makes the cutover wrong. */
export function cutoverFindings(cutover: CutoverDraft): Finding[] {
  return [
    ...sides(cutover),
    ...routeNames(cutover),
    ...ownerParams(cutover),
    ...learnedNowhere(cutover),
    ...learnedOn(cutover),
    ...rulesWithoutOrders(cutover),
    ...claimedThings(cutover),
    ...whenFindings(cutover),
    ...journeyRoutes(cutover),
    ...journeyTimes(cutover),
    ...voidWithoutJourney(cutover),
    ...exposureWithoutOrders(cutover),
    ...forceHeader(cutover),
    ...orElseRoutes(cutover),
    ...guardedRoutes(cutover),
    ...cohortFindings(cutover),
    ...shopperFindings(cutover),
  ];
}

/** What is allowed but probably not meant. */
export function cutoverWarnings(cutover: CutoverDraft): Finding[] {
  return [
    ...shopperWarnings(cutover),
    ...unkeptPayments(cutover),
    ...journeyNobodyStarts(cutover),
    ...shortSecrets(cutover),
    ...looseForms(cutover),
    ...shortClaims(cutover),
    ...idleLocations(cutover),
    ...vainRetries(cutover),
    ...learnedFromReads(cutover),
  ];
}

function sides(cutover: CutoverDraft): Finding[] {
  if (cutover.legacy === undefined || cutover.legacy !== cutover.new) return [];
  return [wrong([...cutover.at, "new"], "expected another upstream than legacy")];
}

function routeNames({ routes }: CutoverDraft): Finding[] {
  const names = routes.flatMap(({ at, name }) => {
    return name === undefined ? [] : [{ path: [...at, "name"], value: name }];
  });
  return repeated(names, "expected a name of its own for each route");
}

function guardedRoutes({ guardRoutes, routes }: CutoverDraft): Finding[] {
  return guardRoutes
    .filter(({ value }) => !routes.some(({ name }) => name === value))
    .map(({ path }) => wrong(path, "expected the name of a route of this cutover"));
}

/** A `param:` source of an owner that no route could ever fill. */
function ownerParams({ owners, routes }: CutoverDraft): Finding[] {
  if (routes.some(({ path }) => path === undefined)) return [];
  return owners
    .flatMap(({ keys, learns }) => [...keys, ...learns])
    .filter(({ value }) => value.kind === "param" && !routes.some((route) => hasParam(route, value.name)))
    .map(({ path }) => wrong(path, "expected a parameter that a route of this cutover has"));
}

/** Owners that are learned from answers, where no route's answer tells of any. */
function learnedNowhere({ owners, routes }: CutoverDraft): Finding[] {
  if (routes.length === 0 || routes.some((route) => route.learns !== false)) return [];
  return owners
    .filter(({ learned, on }) => learned && on === undefined)
    .map(({ at }) => {
      const message =
        "expected a route that learns: one with journey: start, journey: end, payment: true or learns: true";
      return wrong([...at, "learn"], message);
    });
}

/** Owners that are said to be learned where they cannot be. */
function learnedOn({ owners, routes }: CutoverDraft): Finding[] {
  return owners.flatMap(({ at, learned, on = [] }) => {
    if (on.length > 0 && !learned) return [wrong([...at, "on"], "expected learn: what this is learned from")];
    return on.flatMap(({ path, value }) => {
      const route = routes.find(({ name }) => name === value);
      if (route === undefined) return [wrong(path, "expected the name of a route of this cutover")];
      return route.learns === false && route.saysLearns
        ? [wrong(path, "expected another route: this one has learns: false")]
        : [];
    });
  });
}

/** What a route's answers teach or finish, where there is nothing to be learned. */
function rulesWithoutOrders({ owners, routes }: CutoverDraft): Finding[] {
  return routes.flatMap(({ at, learns, finishes }) => {
    const findings: Finding[] = [];
    if (typeof learns === "object" && !owners.some(({ learned }) => learned)) {
      findings.push(wrong([...at, "learns"], "expected an owner with learn: there is nothing to be learned"));
    }
    if (typeof learns === "object" && learns.when?.some((condition) => !isDone(condition))) {
      const message = "expected statuses of 2xx and 3xx: no other answer tells of an order made";
      findings.push(wrong([...at, "learns", "when"], message));
    }
    if (finishes && !owners.some(({ learned, what }) => learned && what !== "other")) {
      findings.push(wrong([...at, "finishes"], "expected an owner with learn that is an order or a cart"));
    }
    return findings;
  });
}

function isDone(condition: Condition): boolean {
  if (condition.kind !== "status") return true;
  const classes = [...condition.classes, ...condition.codes.map((code) => Math.floor(code / 100))];
  return classes.every((each) => each === 2 || each === 3);
}

/** A key that is claimed by its use names a request. */
function claimedThings({ owners }: CutoverDraft): Finding[] {
  return owners
    .filter(({ learned, what }) => !learned && what !== undefined && what !== "order")
    .map(({ at }) => wrong([...at, "what"], "expected learn: a key claimed by use names no thing"));
}

/** From answers to GET a route learns only where it says so. */
function learnedFromReads({ owners, routes }: CutoverDraft): Finding[] {
  return owners
    .flatMap(({ on }) => on ?? [])
    .filter(({ value }) => {
      const route = routes.find(({ name }) => name === value);
      return route !== undefined && isBodiless(route) && !(route.saysLearns && route.learns);
    })
    .map(({ path }) =>
      unwise(path, "nothing is learned there: the route is for reading, and has no learns: true"),
    );
}

/** A Location is only told from other places by the parameter that names the order in a route's path. */
function idleLocations({ owners }: CutoverDraft): Finding[] {
  return owners
    .filter(({ keys }) => !keys.some(({ value }) => value.kind === "param"))
    .flatMap(({ learns }) => learns)
    .filter(({ value: { kind, name, pattern } }) => {
      return kind === "header" && name === "location" && pattern === undefined;
    })
    .map(({ path }) =>
      unwise(path, "nothing is learned from a Location where no param: key names the order in a path"),
    );
}

function journeyRoutes({ journey, routes }: CutoverDraft): Finding[] {
  if (journey !== undefined) return [];
  return routes
    .filter((route) => route.journey !== undefined)
    .map(({ at }) => wrong([...at, "journey"], "expected a journey block in this cutover"));
}

/** Files are asked of the other side: nothing that a side is told by, and nothing that is done. */
function orElseRoutes({ routes }: CutoverDraft): Finding[] {
  return routes
    .filter(({ orElse }) => orElse !== undefined)
    .flatMap(({ at, methods, journey, payment, learns, finishes, saysFailure }) => {
      const isRead = methods === "all" || methods.includes("GET") || methods.includes("HEAD");
      const isPlain = journey === undefined && !payment && learns === false && !finishes && !saysFailure;
      const path = [...at, "orElse"];
      return [
        ...(isRead || methods.length === 0 ? [] : [wrong(path, "expected GET or HEAD among the methods")]),
        ...(isPlain
          ? []
          : [wrong(path, "expected a route of files: no journey, payment, learns, finishes or failure")]),
      ];
    });
}

function journeyTimes({ journey }: CutoverDraft): Finding[] {
  if (journey?.ttl === undefined || journey.maxTtl === undefined || journey.ttl <= journey.maxTtl) return [];
  return [wrong([...journey.at, "ttl"], "expected a ttl of at most maxTtl")];
}

function voidWithoutJourney({ journey, onVoid }: CutoverDraft): Finding[] {
  if (onVoid === undefined || journey !== undefined) return [];
  const message = "expected a journey block in this cutover: without one nothing is taken away";
  return [{ path: onVoid, on: "key", found: "unsaid", message }];
}

/** Fields that belong to one connection (RFC 9110 §7.6.1), to framing, or that say where and who. */
export const takenHeaders: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "cookie",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What shops cannot do without: the header of testers goes on to none of them. */
const neededHeaders: ReadonlySet<string> = new Set([
  ...["accept", "accept-encoding", "accept-language", "authorization", "cache-control", "content-encoding"],
  ...[
    "content-type",
    "date",
    "forwarded",
    "from",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
  ],
  ...["if-unmodified-since", "max-forwards", "origin", "pragma", "prefer", "range", "referer", "traceparent"],
  ...["tracestate", "user-agent", "via", "x-csrf-token", "x-forwarded-for", "x-forwarded-host"],
  ...["x-forwarded-proto", "x-request-id", "x-requested-with"],
]);

function forceHeader({ at, forceHeader: header }: CutoverDraft): Finding[] {
  if (header === undefined || !(takenHeaders.has(header) || neededHeaders.has(header))) return [];
  return [wrong([...at, "force", "header"], "expected a header of its own: this one has a meaning in HTTP")];
}

/** A payment that nothing keeps on the side where the order is. */
function unkeptPayments({ journey, owners, routes }: CutoverDraft): Finding[] {
  if (journey !== undefined) return [];
  const keys = owners.flatMap((owner) => owner.keys);
  return routes
    .filter((route) => {
      return (
        route.payment && !keys.some(({ value }) => value.kind !== "param" || hasParam(route, value.name))
      );
    })
    .map(({ at }) => {
      const message =
        "a payment with neither an owner key nor a journey: a change of percent may split an order";
      return unwise([...at, "payment"], message);
    });
}

function journeyNobodyStarts({ journey, routes }: CutoverDraft): Finding[] {
  if (journey === undefined || routes.some((route) => route.journey?.start !== undefined)) return [];
  return [unwise(journey.at, "no route has journey: start, so no journey ever begins")];
}

function shortSecrets({ journey }: CutoverDraft): Finding[] {
  return (journey?.secrets ?? [])
    .filter(({ value }) => value !== "" && value.length < 16)
    .map(({ path }) => unwise(path, "a secret shorter than 16 characters can be guessed"));
}

/** `SS-` is also found in the middle of another system's id. */
function looseForms({ owners }: CutoverDraft): Finding[] {
  return owners
    .flatMap(({ patterns }) => patterns)
    .filter(({ value }) => !alternatives(value.text).every((part) => part.startsWith("^")))
    .map(({ path }) => unwise(path, "a pattern without ^ at its start also matches inside other keys"));
}

const dayMs = 86_400_000;

/** A key forgotten before its last retry is a new one to the next. */
function shortClaims({ owners }: CutoverDraft): Finding[] {
  return owners
    .filter(({ learned, ttl }) => !learned && ttl.value !== undefined && ttl.value < dayMs)
    .map(({ ttl }) => {
      const message =
        "a key claimed by use and kept for less than 24h: a later retry may run on the other side";
      return unwise(ttl.path, message);
    });
}

/** The alternatives of an expression, at its top level. */
function alternatives(expression: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const [token] of expression.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|[\s\S]/gu)) {
    if (token === "(") depth += 1;
    if (token === ")") depth -= 1;
    if (token === "|" && depth === 0) parts.push("");
    else parts.push(`${parts.pop() ?? ""}${token}`);
  }
  return parts;
}

function vainRetries({ owners, routes }: CutoverDraft): Finding[] {
  if (owners.length > 0) return [];
  return routes
    .filter(({ unknown }) => unknown === "retry")
    .map(({ at }) => unwise([...at, "unknown"], "this cutover has no owners: there is nothing to wait for"));
}
