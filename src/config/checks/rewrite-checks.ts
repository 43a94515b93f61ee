/** What the rules of an upstream's `rewrite` say about each other, and about what is not theirs to change. */

import { type Finding, formatPath, type Path, repeated, wrong } from "../load/problems.ts";
import type { FieldDraft, RewriteDraft } from "../load/rewrite-draft.ts";
import type { PathPattern } from "../values/path.ts";
import { takenHeaders } from "./cutover-checks.ts";

/** What makes the rewriting wrong. @param ownFields what the proxy says by itself of a request; lower case */
export function rewriteFindings(draft: RewriteDraft, ownFields: ReadonlySet<string>): Finding[] {
  return [
    ...unlikeRules(draft),
    ...sameFrom(draft),
    ...meetingTo(draft),
    ...fieldFindings(draft.request, (field) => isTakenOfRequest(field, ownFields)),
    ...fieldFindings(draft.response, isTakenOfResponse),
    ...setTwice(draft),
    ...idleNames(draft),
  ];
}

function unlikeRules({ rules }: RewriteDraft): Finding[] {
  return rules.flatMap(({ at, from, to }): Finding[] => {
    if (from === undefined || to === undefined) return [];
    const path = [...at, "to"];
    if (from.prefix !== to.prefix)
      return [wrong(path, "expected * at the end of both from and to, or of neither")];
    return paramsOf(from).join() === paramsOf(to).join()
      ? []
      : [wrong(path, "expected the parameters of from, each of them: the way back needs them")];
  });
}

function paramsOf({ segments }: PathPattern): string[] {
  return segments.flatMap((segment) => (segment.kind === "param" ? segment.name : [])).sort();
}

function sameFrom({ rules }: RewriteDraft): Finding[] {
  const shapes = rules.flatMap(({ at, from }) => {
    return from === undefined ? [] : [{ path: [...at, "from"], value: shapeOf(from) }];
  });
  return repeated(shapes, "expected a path of its own");
}

/** Parameters match the same segments whatever their names. */
function shapeOf({ segments, prefix }: PathPattern): string {
  const texts = segments.map((segment) => (segment.kind === "param" ? ":" : segment.text));
  return `${texts.join("/")}${prefix ? "/*" : ""}`;
}

/** Where two meet, an answer's address would lead back to two paths. */
function meetingTo({ rules }: RewriteDraft): Finding[] {
  const known: { readonly path: Path; readonly to: PathPattern }[] = [];
  return rules.flatMap(({ at, to }): Finding[] => {
    if (to === undefined) return [];
    const path = [...at, "to"];
    const rival = known.find((earlier) => meet(earlier.to, to));
    known.push({ path, to });
    if (rival === undefined) return [];
    return [
      wrong(path, `expected a path that meets no other rule's: some are ${formatPath(rival.path)} too`),
    ];
  });
}

/** Whether there is a path that both match. */
export function meet(one: PathPattern, other: PathPattern): boolean {
  const [short, long] = one.segments.length <= other.segments.length ? [one, other] : [other, one];
  const isLonger = long.segments.length > short.segments.length;
  if (isLonger ? !short.prefix : short.prefix !== long.prefix) return false;
  return short.segments.every((segment, i) => {
    const beside = long.segments[i];
    if (segment.kind === "literal" && beside?.kind === "literal") return segment.text === beside.text;
    // A parameter is never empty.
    const [literal] = [segment, beside].flatMap((each) => (each?.kind === "literal" ? each.text : []));
    return literal !== "";
  });
}

/** How a connection is changed (RFC 6455 §11.3). */
const isHandshake = (name: string) => name.startsWith("sec-websocket-") || name === "http2-settings";

function isTakenOfRequest({ name: written, kind }: FieldDraft, ownFields: ReadonlySet<string>): boolean {
  const name = written.toLowerCase();
  if (name === "cookie" && kind === "remove") return false;
  const isOwn = ownFields.has(name) || name.startsWith("x-forwarded-") || name.startsWith("x-cutover-");
  const isContents = name === "content-encoding" || name === "content-type";
  return takenHeaders.has(name) || isOwn || isHandshake(name) || isContents || name === "max-forwards";
}

/** What says how the content is to be read, and what the way back makes. */
const contentFields: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-range",
  "via",
  "proxy-status",
]);
const mappedFields: ReadonlySet<string> = new Set(["location", "content-location", "set-cookie"]);

function isTakenOfResponse({ name: written, kind }: FieldDraft): boolean {
  const name = written.toLowerCase();
  if (kind !== "remove" && mappedFields.has(name)) return true;
  return takenHeaders.has(name) || contentFields.has(name) || isHandshake(name);
}

function fieldFindings(fields: readonly FieldDraft[], isTaken: (field: FieldDraft) => boolean): Finding[] {
  const lower = fields.map(({ path, name }) => ({ path, value: name.toLowerCase() }));
  const message = "expected a field that is neither the connection's, nor the body's, nor this proxy's own";
  return [
    ...fields.filter(isTaken).map(({ path }) => wrong(path, message)),
    ...repeated(lower, "expected each field once, in set, add or remove"),
  ].map(
    (finding): Finding => ({ ...finding, on: isListed(finding.path) ? "value" : "key", found: "unsaid" }),
  );
}

function isListed(path: Path): boolean {
  return typeof path.at(-1) === "number";
}

/** A field of the upstream's `set`, which holds the client's address. */
function setTwice({ request, besides }: RewriteDraft): Finding[] {
  return request
    .filter(({ name }) => besides.has(name.toLowerCase()))
    .map(({ path }): Finding => {
      const message = "expected another field: this upstream's set has it";
      return { path, on: isListed(path) ? "value" : "key", found: "unsaid", message };
    });
}

/** Names that no request to the upstream could fill. */
function idleNames({ request, response, isSide, routePaths }: RewriteDraft): Finding[] {
  return [...request, ...response].flatMap(({ path, template }) =>
    (template?.parts ?? []).flatMap((part): Finding[] => {
      const finding = (message: string): Finding => ({ path, on: "value", found: "unsaid", message });
      switch (part.kind) {
        case "shopper":
        case "side":
          return isSide ? [] : [finding(`expected no {${part.kind}}: no cutover has this upstream`)];
        case "param": {
          const isThere = routePaths.some((text) => text.split("/").includes(`:${part.name}`));
          const message = "expected a parameter that the path of a route to this upstream has";
          return isThere ? [] : [finding(message)];
        }
        default:
          return [];
      }
    }),
  );
}
