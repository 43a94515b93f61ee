/**
 * Signing in at the issuer. The browser leaves by `/sign-in` and comes back to `/sign-in/callback`, which hands it on to the
 * path that its cookie goes with; there the sign-in ends, and a session begins on a path of its own. The command line asks
 * which client it is, and goes to the issuer itself.
 */
import type { FastifyRequest } from "fastify";
import type { CodeFlow } from "../access/code-flow.ts";
import type { Gate } from "../access/gate.ts";
import { isSegment, makeSegment, pagePath, segmentOf } from "../access/page-path.ts";
import type { PageDoor } from "../access/session-cookie.ts";
import { type SignInFailure, type SignInWays, signInWays } from "../api/sign-in.ts";
import type { AdminApp } from "../context.ts";
import { refusalAnswers } from "../openapi.ts";
import { Refused } from "../problem.ts";

export function signInRoutes(app: AdminApp, gate: Gate, door: PageDoor | undefined): void {
  waysRoute(app, gate);
  if (door !== undefined) pageRoutesAtIssuer(app, gate, door);
}

function waysRoute(app: AdminApp, gate: Gate): void {
  app.route({
    method: "GET",
    url: "/api/v1/sign-in",
    config: { isPublic: true },
    schema: {
      operationId: "signInWays",
      summary: "How somebody may sign in, besides a token of the configuration",
      tags: ["session"],
      security: [],
      response: { 200: signInWays.describe("The ways"), ...refusalAnswers([], "public") },
    },
    handler: async (): Promise<SignInWays> => {
      const oidc = gate.issuer();
      const page = oidc?.page !== undefined;
      if (oidc?.cli === undefined) return { page, cli: null };
      const { issuer, audience, cli } = oidc;
      const { clientId, scopes, parameters } = cli;
      return { page, cli: { issuer, clientId, audience, scope: scopes.join(" "), parameters } };
    },
  });
}

function pageRoutesAtIssuer(app: AdminApp, gate: Gate, door: PageDoor): void {
  const toAll = { config: { isPublic: true }, schema: { hide: true } };

  app.get("/sign-in", toAll, async (request, reply) => {
    const elsewhere = ownAddress(request, gate);
    if (elsewhere !== undefined) return reply.redirect(elsewhere, 303);
    const segment = makeSegment();
    const begun = await (await flow(gate)).begin(segment);
    if (begun === undefined) return reply.redirect(failed("unavailable"), 303);
    door.keep(reply, segment, begun.pending, begun.seconds);
    return reply.redirect(begun.location, 303);
  });

  app.get("/sign-in/callback", toAll, async (request, reply) => {
    const { url = "" } = request.raw;
    const at = url.indexOf("?");
    const search = at === -1 ? "" : url.slice(at);
    if (segmentOf(request.raw) === undefined) {
      const [segment = ""] = (new URLSearchParams(search).get("state") ?? "").split(".");
      const next = isSegment(segment) ? `${pagePath(segment)}sign-in/callback${search}` : failed("stale");
      return reply.redirect(next, 303);
    }
    const finished = await (await flow(gate)).finish(search, door.takeKept(request, reply));
    if ("why" in finished) gate.failedAtIssuer(request.socket.remoteAddress ?? "", finished.why);
    if (finished.kind !== "known") return reply.redirect(failed(finished.kind), 303);
    const session = await door.begin(request, finished.actor, finished);
    return reply.redirect(pagePath(session.segment), 303);
  });
}

/**
 * The issuer sends people back to the page's address of the configuration: what the browser keeps has to be kept for that
 * one's host. Once: what stands between may say another host than the browser does.
 *
 * @returns where to begin instead; `undefined`: here
 */
function ownAddress({ raw, headers }: FastifyRequest, gate: Gate): string | undefined {
  const page = gate.issuer()?.page;
  if (page === undefined || raw.url?.includes("?") === true) return undefined;
  const { host, origin } = new URL(page.url);
  return host === headers.host?.toLowerCase() ? undefined : `${origin}/sign-in?from=elsewhere`;
}

function flow(gate: Gate): Promise<CodeFlow> {
  const found = gate.codeFlow();
  if (found === undefined)
    throw new Refused("not_found", "the page has no client at an issuer (auth.oidc.page)");
  return found;
}

/** The page says why. @see page.ts */
function failed(why: SignInFailure): string {
  return `/?sign-in=${why}`;
}
