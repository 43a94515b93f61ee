/**
 * What a configuration says of orders: which keys are theirs, on which routes these are learned, which answers finish
 * them, which are failures, and what of an answer has to be looked at for it.
 */
import type { CutoverConfig, RouteConfig } from "../config/schema.ts";
import type { Condition } from "../config/values/condition.ts";
import type { Expression } from "../config/values/expression.ts";
import { isInBody, type Source } from "../config/values/source.ts";
import type { AnswerRule } from "../decide/answer.ts";
import { compilePlaces, type NamedPlace } from "../decide/route.ts";
import type { OwnerKey } from "../ownership/port.ts";
import type { Side } from "../state/rules/model.ts";

export interface CompiledOwner {
  readonly key: readonly Source[];
  readonly learn: readonly Source[] | undefined;
  /** Where a Location names such a key. */
  readonly places: readonly NamedPlace[];
  readonly ttlMs: number;
  /** Forms of keys that tell their side. */
  readonly patterns: readonly { readonly pattern: Expression; readonly side: Side }[];
  /** What it names, where that is no order. */
  readonly what: OwnerKey["what"];
}

/** What a cutover knows of orders. */
export interface CompiledOrders {
  readonly owners: readonly CompiledOwner[];
  /** Most bytes of an answer in which keys, or what a rule asks for, are looked for. */
  readonly learnBodyBytes: number;
  /** Whether it can be told which of its orders are finished. */
  readonly countsOrders: boolean;
  /** Whether keys of carts end with their orders. */
  readonly endsCarts: boolean;
  /** Where an answer tells what the order is worth that it makes; absent: there is no cap on what is unpaid. */
  readonly exposure: Pick<NonNullable<CutoverConfig["exposure"]>, "amount" | "decimals"> | undefined;
}

/** What of its answers a route looks at. */
export interface Looks {
  readonly learn: "head" | "body";
  readonly rules: "status" | "head" | "body";
  /** Whether something is looked for in JSON or in a form. */
  readonly values: boolean;
  /** Whether something is looked for in any body. */
  readonly text: boolean;
}

/** Which answers below 500 are failures of their side. */
export interface FailureRule {
  /** Any one of them. */
  readonly conditions: readonly Condition[];
  readonly looks: Looks;
}

export function compileFailure({ failure }: RouteConfig): FailureRule | undefined {
  if (failure === undefined) return undefined;
  return { conditions: failure, looks: looksFor([], [{ when: failure }]) };
}

export function compileOrders(declared: CutoverConfig): CompiledOrders {
  return {
    owners: compileOwners(declared),
    learnBodyBytes: declared.owners.learnBody,
    countsOrders: countsOrders(declared),
    endsCarts: endsCarts(declared),
    exposure: declared.exposure,
  };
}

function compileOwners({ owners, routes }: CutoverConfig): CompiledOwner[] {
  const patterns = routes.map(({ path }) => path);
  return owners.keys.map(({ key, learn, ttl, patterns: forms, what }) => {
    const params = new Set(key.flatMap(({ kind, name }) => (kind === "param" ? name : [])));
    return {
      key,
      learn,
      places: compilePlaces(patterns, params),
      ttlMs: ttl,
      patterns: forms,
      what: what === "order" ? undefined : what,
    };
  });
}

/** @returns the places, in the list of owners, of those whose keys are learned from answers of the route */
export function learnedOn({ owners }: CutoverConfig, route: RouteConfig): ReadonlySet<number> {
  const { name, journey, payment, learns = payment || journey !== undefined } = route;
  const places = owners.keys.flatMap(({ learn, on }, i) => {
    const isLearned = on === undefined ? learns !== false : on.includes(name);
    return learn !== undefined && isLearned ? [i] : [];
  });
  return new Set(places);
}

/** Which answers finish orders: where nothing else is said, those that end journeys, and what is answered to payments. */
export function finishingRule({ finishes, journey, payment }: RouteConfig): AnswerRule | undefined {
  if (typeof finishes === "object") return finishes;
  return (finishes ?? (payment || journey?.end !== undefined)) ? (journey?.end ?? {}) : undefined;
}

/** Whether orders are learned, and some route that finishes them can name one, in its requests or its answers. */
export function countsOrders(declared: CutoverConfig): boolean {
  const ending = declared.routes.filter((route) => finishingRule(route) !== undefined);
  const isParam = (name: string) =>
    ending.some(({ path }) => path.segments.some((one) => one.kind === "param" && one.name === name));
  return declared.owners.keys.some(({ key, learn, what }, i) => {
    if (learn === undefined || what !== "order" || ending.length === 0) return false;
    const isNamed = key.some(({ kind, name }) => kind !== "param" || isParam(name));
    return isNamed || ending.some((route) => learnedOn(declared, route).has(i));
  });
}

/**
 * Whether the key of a cart is nobody's any more once its order is finished. Only where there are journeys: they hold the
 * shopper's confirmation pages, which may name the cart yet.
 */
function endsCarts({ owners, journey }: CutoverConfig): boolean {
  return (
    journey !== undefined && owners.keys.some(({ learn, what }) => learn !== undefined && what === "cart")
  );
}

/** @param learn what is learned @param rules what answers are judged by */
export function looksFor(learn: readonly Source[], rules: readonly AnswerRule[]): Looks {
  const asked = rules.flatMap(({ when = [], unless = [] }) => [...when, ...unless]);
  const kinds = new Set([...learn, ...asked].map(({ kind }) => kind));
  const isAbout = (condition: Condition) => condition.kind === "json" || condition.kind === "body";
  const isBeyondStatus = asked.some(({ kind }) => kind !== "status");
  return {
    learn: learn.some(isInBody) ? "body" : "head",
    rules: asked.some(isAbout) ? "body" : isBeyondStatus ? "head" : "status",
    values: kinds.has("json") || kinds.has("form"),
    text: kinds.has("body"),
  };
}
