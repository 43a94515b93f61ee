/** Routes as far as they can be read: those of cutovers, and fixed ones. */
import { parts, type RouteConfig } from "../schema.ts";
import type { PathPattern } from "../values/path.ts";
import { each, type Located, read, textOf } from "./drafting.ts";
import { valueAt } from "./issues.ts";
import type { Path } from "./problems.ts";

/** What finds a route. */
export interface PlaceDraft {
  readonly at: Path;
  readonly name: string | undefined;
  readonly path: PathPattern | undefined;
  /** Empty when they could not be read. */
  readonly methods: readonly string[] | "all";
  /** Which requests of the path it is for; absent: all, or that could not be read. */
  readonly when: RouteConfig["when"];
  /** Whether that is written. */
  readonly saysWhen: boolean;
  /** Its own, those that could be read; absent where it has none. */
  readonly hosts: readonly Located<string>[] | undefined;
}

/** A route of no cutover. */
export interface FixedDraft extends PlaceDraft {
  readonly upstream: string | undefined;
  readonly except: readonly Located<PathPattern>[];
}

export interface RouteDraft extends PlaceDraft {
  readonly journey: RouteConfig["journey"];
  readonly payment: boolean;
  /** Which answers tell of orders made: a rule is as it was read. */
  readonly learns: NonNullable<RouteConfig["learns"]>;
  /** Whether that is written. */
  readonly saysLearns: boolean;
  /** What is written of which answers finish orders. */
  readonly finishes: RouteConfig["finishes"];
  readonly unknown: RouteConfig["unknown"] | undefined;
  /** Whether it says which answers are failures. */
  readonly saysFailure: boolean;
  readonly orElse: RouteConfig["orElse"];
}

export function routeDraft(at: Path, root: unknown): RouteDraft {
  const { shape } = parts.route;
  const journey = read(shape.journey, valueAt(root, ["journey"]));
  const payment = read(shape.payment, valueAt(root, ["payment"])) ?? false;
  const learns = read(shape.learns, valueAt(root, ["learns"]));
  return {
    ...placeDraft(at, root),
    journey,
    payment,
    learns: learns ?? (payment || journey !== undefined),
    saysLearns: learns !== undefined,
    finishes: read(shape.finishes, valueAt(root, ["finishes"])),
    unknown: read(shape.unknown, valueAt(root, ["unknown"])),
    saysFailure: valueAt(root, ["failure"]) !== undefined,
    orElse: read(shape.orElse, valueAt(root, ["orElse"])),
  };
}

export function fixedDraft(at: Path, root: unknown): FixedDraft {
  const { except } = parts.fixedRoute.shape;
  return {
    ...placeDraft(at, root),
    upstream: textOf(valueAt(root, ["upstream"])),
    except: each(except.unwrap().element, [...at, "except"], valueAt(root, ["except"])),
  };
}

function placeDraft(at: Path, root: unknown): PlaceDraft {
  const { shape } = parts.route;
  const methods = valueAt(root, ["methods"]);
  return {
    at,
    name: read(shape.name, valueAt(root, ["name"])),
    path: read(shape.path, valueAt(root, ["path"])),
    methods: methods === undefined ? "all" : (read(shape.methods, methods) ?? []),
    when: read(shape.when, valueAt(root, ["when"])),
    saysWhen: valueAt(root, ["when"]) !== undefined,
    hosts: hostsDraft(at, root),
  };
}

/** @param at the path of what has them */
export function hostsDraft(at: Path, root: unknown): Located<string>[] | undefined {
  const given = valueAt(root, ["hosts"]);
  const { element } = parts.route.shape.hosts.unwrap();
  return given === undefined ? undefined : each(element, [...at, "hosts"], given);
}
