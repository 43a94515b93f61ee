/** What upstreams rewrite, as far as it can be read (draft.ts). */
import { rewrite } from "../rewrite-schema.ts";
import type { PathPattern } from "../values/path.ts";
import type { Template } from "../values/template.ts";
import { listAt } from "./drafting.ts";
import { isMapping, valueAt } from "./issues.ts";
import type { Path } from "./problems.ts";

export interface FieldDraft {
  readonly path: Path;
  /** As it is written. */
  readonly name: string;
  readonly kind: "set" | "add" | "remove";
  readonly template: Template | undefined;
}

export interface RewriteDraft {
  /** `upstreams.NAME.rewrite` */
  readonly at: Path;
  readonly rules: readonly {
    readonly at: Path;
    readonly from: PathPattern | undefined;
    readonly to: PathPattern | undefined;
  }[];
  readonly request: readonly FieldDraft[];
  readonly response: readonly FieldDraft[];
  /** Fields that the upstream is to have set besides; lower case. */
  readonly besides: ReadonlySet<string>;
  /** Whether it is a side of a cutover. */
  readonly isSide: boolean;
  /** Paths of the cutovers' routes that lead to it, as they are written. */
  readonly routePaths: readonly string[];
}

export function rewriteDrafts(root: unknown): RewriteDraft[] {
  const upstreams = valueAt(root, ["upstreams"]);
  if (!isMapping(upstreams)) return [];
  return Object.entries(upstreams).flatMap(([name, upstream]) => {
    const written = valueAt(upstream, ["rewrite"]);
    return isMapping(written) ? [rewriteDraft(root, name, upstream, written)] : [];
  });
}

function rewriteDraft(root: unknown, name: string, upstream: unknown, written: unknown): RewriteDraft {
  const at: Path = ["upstreams", name, "rewrite"];
  const set = valueAt(upstream, ["set"]);
  const cutovers = valuesOf(valueAt(root, ["cutovers"])).filter((cutover) =>
    ["legacy", "new"].some((side) => valueAt(cutover, [side]) === name),
  );
  const routes = cutovers.flatMap((cutover) => listAt(cutover, "routes"));
  return {
    at,
    rules: listAt(written, "path").map((rule, index) => {
      const { from, to } = rewrite.shape.path.unwrap().element.shape;
      return {
        at: [...at, "path", index],
        from: from.safeParse(valueAt(rule, ["from"])).data,
        to: to.safeParse(valueAt(rule, ["to"])).data,
      };
    }),
    request: fieldDrafts([...at, "request"], valueAt(written, ["request"])),
    response: fieldDrafts([...at, "response"], valueAt(written, ["response"])),
    besides: new Set(isMapping(set) ? Object.keys(set).map((field) => field.toLowerCase()) : []),
    isSide: cutovers.length > 0,
    routePaths: routes.flatMap((route) => {
      const path = valueAt(route, ["path"]);
      return typeof path === "string" ? [path] : [];
    }),
  };
}

function fieldDrafts(at: Path, root: unknown): FieldDraft[] {
  const { set, remove } = rewrite.shape.request.unwrap().shape;
  const template = set.unwrap().valueType;
  const given = (["set", "add"] as const).flatMap((kind): FieldDraft[] => {
    const fields = valueAt(root, [kind]);
    if (!isMapping(fields)) return [];
    return Object.entries(fields).map(([name, value]) => ({
      path: [...at, kind, name],
      name,
      kind,
      template: template.safeParse(value).data,
    }));
  });
  const removed = listAt(root, "remove").flatMap((name, index): FieldDraft[] => {
    const read = remove.unwrap().element.safeParse(name).data;
    if (read === undefined) return [];
    return [{ path: [...at, "remove", index], name: read, kind: "remove", template: undefined }];
  });
  return [...given, ...removed];
}

function valuesOf(value: unknown): readonly unknown[] {
  return isMapping(value) ? Object.values(value) : [];
}
