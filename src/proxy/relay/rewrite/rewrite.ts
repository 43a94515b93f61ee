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
import type { Rewriting } from "./compiled.ts";
import { changeFields, dropFields, type FieldValues } from "./fields.ts";
import { type Here, linkBack, referenceBack, refreshBack } from "./references.ts";
import { cookieBack } from "./set-cookie.ts";

/** What of an exchange its rewriting looks at. */
interface Rewritten extends Pick<Recorded, "requestId" | "side"> {
  readonly decided: Pick<Decided, "identity"> | undefined;
  readonly context: Pick<ExchangeContext, "table" | "fieldNames">;
}

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** Makes the request, in place, what the upstream gets. */
export function rewriteRequest(
  { paths, request: changes }: Rewriting,
  exchange: Rewritten,
  arrival: Arrival,
  request: Writable<ForwardRequest>,
): void {
  const { path } = arrival.target;
  const to = path === "*" ? undefined : paths?.there(path);
  if (to !== undefined) request.target = to + request.target.slice(path.length);
  if (changes !== undefined) changeFields(request.fields, changes, valuesOf(exchange, arrival));
}

/**
 * An exchange goes by the rewriting of where it is sent, if that has any, both ways.
 *
 * @param request changed in place
 */
export function rewriteExchange(
  rewriting: Rewriting | undefined,
  exchange: Rewritten & { wayBack: WayBack | undefined },
  arrival: Arrival,
  request: Writable<ForwardRequest>,
): void {
  exchange.wayBack = rewriting && wayBack(rewriting, exchange, arrival);
  if (rewriting !== undefined) rewriteRequest(rewriting, exchange, arrival, request);
}

/** What becomes of what an upstream answers. */
export interface WayBack {
  /** Addresses and cookies as shoppers see them: before anybody reads the answer. */
  back(head: ResponseHead): ResponseHead;
  /** What goes on of a head, with the fields of the rules: when everybody has. One in between is given none. Changed in place. */
  pass(fields: string[], kind: "interim" | "final"): void;
  /** The trailers that go on. */
  drop(trailers: readonly string[]): readonly string[];
}

/** One object an exchange, its functions are shared. */
interface OwnWayBack extends WayBack {
  readonly rewriting: Rewriting;
  readonly exchange: Rewritten;
  readonly arrival: Arrival;
}

function wayBack(rewriting: Rewriting, exchange: Rewritten, arrival: Arrival): OwnWayBack {
  return { rewriting, exchange, arrival, back, pass, drop };
}

function pass(this: OwnWayBack, fields: string[], kind: "interim" | "final"): void {
  const { response } = this.rewriting;
  if (response === undefined) return;
  if (kind === "final") changeFields(fields, response, valuesOf(this.exchange, this.arrival));
  else dropFields(fields, response);
}

function drop(this: OwnWayBack, trailers: readonly string[]): readonly string[] {
  const { response } = this.rewriting;
  if (response === undefined || trailers.length === 0) return trailers;
  const kept = [...trailers];
  dropFields(kept, response);
  return kept;
}

function valuesOf({ requestId, side, decided }: Rewritten, { match }: Arrival): FieldValues {
  return {
    shopper: decided?.identity,
    requestId,
    side: side === "none" ? undefined : side,
    params: match,
  };
}

/** Fields that hold addresses, by their lengths: no two have the same. */
const addressed: readonly (string | undefined)[] = [
  "location",
  "content-location",
  "link",
  "refresh",
  "set-cookie",
].reduce<string[]>((names, name) => {
  names[name.length] = name;
  return names;
}, []);

/** @returns the field's name in lower case, where it holds an address; `undefined` else */
function addressedName(field: string): string | undefined {
  const name = addressed[field.length];
  // Mostly the first letter tells that it is another.
  if (name === undefined || (field.charCodeAt(0) | 0x20) !== name.charCodeAt(0)) return undefined;
  return field.toLowerCase() === name ? name : undefined;
}

function back(this: OwnWayBack, head: ResponseHead): ResponseHead {
  const { rewriting, exchange, arrival } = this;
  const { paths } = rewriting;
  let here: Here | undefined;
  let fields: string[] | undefined;
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = addressedName(head.fields[i] ?? "");
    if (name === undefined) continue;
    here ??= hereOf(exchange, arrival, paths);
    const value = head.fields[i + 1] ?? "";
    const mapped = mappedValue(rewriting, arrival, here, name, value);
    if (mapped === value) continue;
    fields ??= [...head.fields];
    fields[i + 1] = mapped;
  }
  return fields === undefined ? head : { ...head, fields };
}

function mappedValue(
  { own, paths }: Rewriting,
  arrival: Arrival,
  here: Here,
  name: string,
  value: string,
): string {
  if (name === "set-cookie") return cookieBack(own, paths, value, here, () => mayBeSecure(arrival, here));
  const referred = (reference: string) => referenceBack(own, paths, reference, here);
  if (name === "link") return linkBack(value, referred);
  return name === "refresh" ? refreshBack(value, referred) : referred(value);
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
