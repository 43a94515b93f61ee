/**
 * Requests that would have changed something and were refused before or beside the rule book: a page of another origin,
 * a missing CSRF token, a role that may not approve or annotate, one's own proposal, a store out of reach. They go into
 * the audit file as the rule book's refusals do. Wrong tokens and what does not read as a request are none of it: they
 * are in the log (attempts.ts), and nobody's.
 */
import type { FastifyRequest } from "fastify";
import type { Audit } from "../../audit/port.ts";
import type { Log } from "../../base/log.ts";
import { cutoverName } from "../api/cutover-view.ts";
import type { ProblemDetails } from "../api/problem-details.ts";
import { originOf } from "../origin.ts";
import type { Views } from "../view.ts";
import { safeMethods } from "./browser.ts";
import type { Gate } from "./gate.ts";

interface Needs {
  readonly audit: Audit;
  readonly log: Log;
  readonly gate: Pick<Gate, "sessionOf">;
  readonly views: Pick<Views, "names">;
}

export type TellTurnedAway = (request: FastifyRequest, problem: ProblemDetails) => void;

export function createTurnedAway({ audit, log, gate, views }: Needs): TellTurnedAway {
  return (request, { code, detail = "" }) => {
    const { method, headers, routeOptions, params, id: requestId } = request;
    if (safeMethods.has(method) || request.isAudited) return;
    const { data } = cutoverName.safeParse(params);
    const name = views.names().find((each) => each === data?.name) ?? null;
    const isTold =
      code === "forbidden" || (name !== null && (code === "not_found" || code === "store_unavailable"));
    if (!isTold) return;
    // Where the cookie's session was refused for want of its CSRF token, nobody was admitted.
    const actor = request.actor ?? gate.sessionOf(headers)?.actor ?? null;
    const call = routeOptions.url === undefined ? null : `${method} ${routeOptions.url}`;
    const { via } = originOf(request);
    const page = pageOf(headers.origin);
    log.info({ cutover: name, call, by: actor?.name ?? null, code, page, requestId }, "a call was refused");
    audit.turnedAway({ name, call, actor, via, code, why: detail, page, requestId });
  };
}

const longestPage = 300;

/** Scheme, host and port alone. */
function pageOf(origin: string | undefined): string | null {
  if (origin === undefined || origin.length > longestPage || !URL.canParse(origin)) return null;
  return new URL(origin).origin;
}
