/**
 * One exchange's way through an upstream's rewriting: its path and fields on the way there, addresses and cookies in what
 * comes back, and then its fields. Route patterns, learning and all else in this proxy see the shopper's form alone: a
 * request before it goes there, an answer once it is back.
 */
import { fieldValue } from "../../../decide/sources.ts";
import type { ExchangeContext } from "../../context.ts";
import type { Arrival } from "../../request/arrival.ts";
import { hostTold } from "../../request/client.ts";
import { isEncrypted } from "../../request/cookies/own-cookie.ts";
import type { Recorded } from "../../settle.ts";
import type { ForwardRequest, ResponseHead } from "../../upstream/port.ts";
import type { Decided } from "../../witness.ts";
import type { PassedHead } from "../headers.ts";
import type { Rewriting } from "./compiled.ts";
import { changeFields, type FieldValues, withoutDropped } from "./fields.ts";
import { type Here, linkBack, referenceBack, refreshBack } from "./references.ts";
import { cookieBack } from "./set-cookie.ts";

/** What of an exchange its rewriting looks at. */
interface Rewritten extends Pick<Recorded, "requestId" | "side"> {
  readonly decided: Pick<Decided, "identity"> | undefined;
  readonly context: Pick<ExchangeContext, "table" | "fieldNames">;
}

/** @returns the request as the upstream gets it */
export function rewriteRequest(
  { paths, request: changes }: Rewriting,
  exchange: Rewritten,
  arrival: Arrival,
  request: ForwardRequest,
): ForwardRequest {
  const { path } = arrival.target;
  const to = path === "*" ? undefined : paths?.there(path);
  const target = to === undefined ? request.target : `${to}${request.target.slice(path.length)}`;
  const fields =
    changes === undefined
      ? request.fields
      : changeFields(request.fields, changes, valuesOf(exchange, arrival));
  return { ...request, target, fields };
}

/**
 * An exchange goes by the rewriting of where it is sent, if that has any, both ways.
 *
 * @returns the request as the upstream gets it
 */
export function rewriteExchange(
  rewriting: Rewriting | undefined,
  exchange: Rewritten & { wayBack: WayBack | undefined },
  arrival: Arrival,
  request: ForwardRequest,
): ForwardRequest {
  exchange.wayBack = rewriting && wayBack(rewriting, exchange, arrival);
  return rewriting === undefined ? request : rewriteRequest(rewriting, exchange, arrival, request);
}

/** What becomes of what an upstream answers. */
export interface WayBack {
  /** Addresses and cookies as shoppers see them: before anybody reads the answer. */
  back(head: ResponseHead): ResponseHead;
  /** What goes on of a head, with the fields of the rules: when everybody has. One in between is given none. */
  pass(head: PassedHead, kind: "interim" | "final"): PassedHead;
  /** The trailers that go on. */
  drop(trailers: readonly string[]): readonly string[];
}

function wayBack(rewriting: Rewriting, exchange: Rewritten, arrival: Arrival): WayBack {
  const { response } = rewriting;
  return {
    back: (head) => headBack(rewriting, exchange, arrival, head),
    pass(passed, kind) {
      if (response === undefined) return passed;
      const { fields } = passed;
      const isFinal = kind === "final";
      return {
        ...passed,
        fields: isFinal
          ? changeFields(fields, response, valuesOf(exchange, arrival))
          : withoutDropped(fields, response),
      };
    },
    drop: (fields) => (response === undefined ? fields : withoutDropped(fields, response)),
  };
}

function valuesOf({ requestId, side, decided }: Rewritten, { match }: Arrival): FieldValues {
  return {
    shopper: decided?.identity,
    requestId,
    side: side === "none" ? undefined : side,
    param: (name) => match?.values[match.names.indexOf(name)],
  };
}

const addressed: ReadonlySet<string> = new Set([
  "location",
  "content-location",
  "link",
  "refresh",
  "set-cookie",
]);
const lengths: ReadonlySet<number> = new Set([...addressed].map(({ length }) => length));

function headBack(
  { own, paths }: Rewriting,
  exchange: Rewritten,
  arrival: Arrival,
  head: ResponseHead,
): ResponseHead {
  let here: Here | undefined;
  let fields: string[] | undefined;
  for (let i = 0; i < head.fields.length; i += 2) {
    const field = head.fields[i] ?? "";
    const name = lengths.has(field.length) ? field.toLowerCase() : "";
    if (!addressed.has(name)) continue;
    here ??= hereOf(exchange, arrival, paths);
    const to = here;
    const value = head.fields[i + 1] ?? "";
    const back = (reference: string) => referenceBack(own, paths, reference, to);
    const mapped = mappedValue(name, value, back, () =>
      cookieBack(own, paths, value, to, () => mayBeSecure(arrival, to)),
    );
    if (mapped === value) continue;
    fields ??= [...head.fields];
    fields[i + 1] = mapped;
  }
  return fields === undefined ? head : { ...head, fields };
}

function mappedValue(
  name: string,
  value: string,
  back: (reference: string) => string,
  cookie: () => string,
): string {
  if (name === "set-cookie") return cookie();
  if (name === "link") return linkBack(value, back);
  return name === "refresh" ? refreshBack(value, back) : back(value);
}

/** The shopper's origin is what a trusted proxy says of it, else what the request was for. */
function hereOf(
  { context }: Rewritten,
  { head, names, host, target }: Arrival,
  paths: Rewriting["paths"],
): Here {
  const told = hostTold(context.table.trusts, head, names);
  return {
    scheme: isEncrypted(context, head) ? "https" : "http",
    host: told ?? host,
    path: target.path,
    upstreamPath: paths?.there(target.path) ?? target.path,
  };
}

/** Who says that the shopper has TLS need not be believed in order that a cookie stays as it was set. */
function mayBeSecure({ head, names }: Arrival, { scheme }: Here): boolean {
  if (scheme === "https") return true;
  const told = ["x-forwarded-proto", "forwarded"].map((name) => fieldValue(head.fields, names, name) ?? "");
  return told.some((text) => /https/i.test(text));
}
