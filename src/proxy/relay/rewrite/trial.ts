/**
 * What each upstream would get of a request, for a person who writes rules: by the very functions that forward, with nothing
 * sent. What only a real request has stands in braces.
 */
import type { Config } from "../../../config/schema.ts";
import { type Side, sides } from "../../../state/rules/model.ts";
import type { Destination } from "../../destinations.ts";
import { matchesOn, type RouteAsked, routesAmong } from "../../explain.ts";
import type { RequestHead } from "../../inbound.ts";
import { type Arrival, readArrival } from "../../request/arrival.ts";
import { createFieldNames } from "../../request/field-names.ts";
import { routingFor } from "../../request/routing.ts";
import { compileTable } from "../../routes.ts";
import { unreachableWays } from "../../upstream/open.ts";
import { forwardRequest } from "../forward-request.ts";
import { rewriteRequest } from "./rewrite.ts";

/** What would go to one upstream. */
interface TriedSide {
  /** `fixed`: by a route of no cutover; `default`: no route has the path. */
  readonly side: Side | "fixed" | "default";
  readonly upstream: string;
  /** The request's line and fields. */
  readonly lines: readonly string[];
}

type Tried =
  | {
      /** `none` where no cutover has the path, or on a fixed route; of several that it may be on, the first. */
      readonly cutover: string;
      readonly route: string;
      readonly sides: readonly TriedSide[];
      /** Where only more of a real request tells its route: those that it may be on, in the order in which they are asked. */
      readonly routes: readonly RouteAsked[];
    }
  | { readonly status: number; readonly code: string; readonly detail: string };

const proxyName = "cutover";
const shopper = "{shopper}";

/** @param config in which no value is a secret @param address absolute */
export function tryRequest(config: Config, method: string, address: string): Tried {
  const url = new URL(address);
  // As it is written: a URL object has its dot segments resolved.
  const [, path = ""] = /^[^:]*:\/\/[^/?#]*([^#]*)/.exec(address) ?? [];
  const table = compileTable(config, unreachableWays(config), { of: () => [] }, () => []);
  const fieldNames = createFieldNames();
  const head: RequestHead = {
    method,
    target: path.startsWith("/") ? path : `/${path}`,
    fields: ["Host", url.host],
    version: "1.1",
    framing: { kind: "none" },
    peer: { address: "{client}", encrypted: url.protocol === "https:" },
  };
  const read = readArrival(table, head, fieldNames.of(head.fields), proxyName);
  if ("proxyError" in read) {
    const { status, code, detail } = read;
    return { status, code, detail };
  }
  const context = { table, fieldNames, proxyName };
  const matches = matchesOn(table, read.host, method, head.target);
  const match = read.match ?? matches[0];
  const arrival = { ...read, match };
  const tried = (destination: Destination, side: TriedSide["side"]): TriedSide => ({
    side,
    upstream: destination.way.engine.name,
    lines: linesOf(context, arrival, destination, side === "legacy" || side === "new" ? side : "none"),
  });
  const routes = matches.some(({ when }) => when !== undefined) ? routesAmong(matches) : [];
  if (match === undefined) {
    const { elsewhere } = arrival;
    const side = elsewhere === routingFor(table, arrival.host).fallthrough ? "default" : "fixed";
    return { cutover: "none", route: elsewhere.name, sides: [tried(elsewhere.destination, side)], routes };
  }
  const { cutover, name, destinations } = match.value;
  return {
    cutover: cutover.name,
    route: name,
    sides: sides.map((side) => tried(destinations[side], side)),
    routes,
  };
}

function linesOf(
  context: Parameters<typeof forwardRequest>[0] & Parameters<typeof rewriteRequest>[1]["context"],
  arrival: Arrival,
  destination: Destination,
  side: Side | "none",
): string[] {
  const requestId = "{requestId}";
  const named = { requestId, traceparent: "{traceparent}" };
  const request = forwardRequest(context, arrival, destination, named, Buffer.alloc(0), false);
  const { rewriting } = destination;
  // Who is on no cutover's route is nobody's shopper.
  const decided = side === "none" ? undefined : { identity: shopper };
  const exchange = { context, requestId, side, decided };
  if (rewriting !== undefined) rewriteRequest(rewriting, exchange, arrival, request);
  const fields: string[] = [];
  for (let i = 0; i < request.fields.length; i += 2) {
    fields.push(
      `${request.fields[i]}: ${request.fields[i + 1]}`.replaceAll(encodeURIComponent(shopper), shopper),
    );
  }
  return [`${request.method} ${request.target} HTTP/1.1`, ...fields];
}
