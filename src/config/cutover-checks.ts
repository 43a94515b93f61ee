/** What one part of a cutover says about another part of the same cutover. */
import type { CutoverDraft, RouteDraft } from "./draft.ts";
import { type Finding, type Path, repeated, wrong } from "./problems.ts";

/** What makes the cutover wrong. */
export function cutoverFindings(cutover: CutoverDraft): Finding[] {
  return [
    ...sides(cutover),
    ...routeNames(cutover),
    ...ownerParams(cutover),
    ...journeyRoutes(cutover),
    ...journeyTimes(cutover),
    ...forceHeader(cutover),
  ];
}

/** What is allowed but probably not meant. */
export function cutoverWarnings(cutover: CutoverDraft): Finding[] {
  return [
    ...shopperParams(cutover),
    ...unkeptPayments(cutover),
    ...journeyNobodyStarts(cutover),
    ...shortSecret(cutover),
  ];
}

function unwise(path: Path, message: string): Finding {
  return { path, on: "key", found: "unsaid", message };
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

function hasParam({ path }: RouteDraft, name: string): boolean {
  return path?.segments.some((segment) => segment.kind === "param" && segment.name === name) ?? false;
}

/** A `param:` source of an owner that no route could ever fill. */
function ownerParams({ owners, routes }: CutoverDraft): Finding[] {
  if (routes.some(({ path }) => path === undefined)) return [];
  return owners
    .flatMap(({ keys, learns }) => [...keys, ...learns])
    .filter(({ value }) => value.kind === "param" && !routes.some((route) => hasParam(route, value.name)))
    .map(({ path }) => wrong(path, "expected a parameter that a route of this cutover has"));
}

function journeyRoutes({ journey, routes }: CutoverDraft): Finding[] {
  if (journey !== undefined) return [];
  return routes
    .filter((route) => route.journey !== undefined)
    .map(({ at }) => wrong([...at, "journey"], "expected a journey block in this cutover"));
}

function journeyTimes({ journey }: CutoverDraft): Finding[] {
  if (journey?.ttl === undefined || journey.maxTtl === undefined || journey.ttl <= journey.maxTtl) return [];
  return [wrong([...journey.at, "ttl"], "expected a ttl of at most maxTtl")];
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

function forceHeader({ at, forceHeader: header }: CutoverDraft): Finding[] {
  if (header === undefined || !takenHeaders.has(header)) return [];
  return [wrong([...at, "force", "header"], "expected a header of its own: this one has a meaning in HTTP")];
}

function shopperParams({ shopper, routes }: CutoverDraft): Finding[] {
  return shopper.flatMap(({ path, value }) => {
    const without = routes.flatMap((route, index) =>
      hasParam(route, value.name) ? [] : [`routes[${index}]`],
    );
    if (value.kind !== "param" || without.length === 0) return [];
    return [
      unwise(path, `this source names no shopper on routes without the parameter: ${without.join(", ")}`),
    ];
  });
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
  if (journey === undefined || routes.some((route) => route.journey === "start")) return [];
  return [unwise(journey.at, "no route has journey: start, so no journey ever begins")];
}

function shortSecret({ journey }: CutoverDraft): Finding[] {
  const length = journey?.secret?.length ?? 0;
  if (journey === undefined || length === 0 || length >= 16) return [];
  return [unwise([...journey.at, "secret"], "a secret shorter than 16 characters can be guessed")];
}
