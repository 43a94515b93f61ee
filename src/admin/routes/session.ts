/** Signing in and out of the page: a bearer token is traded for a cookie no script can read. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { roles } from "../../state/rules/model.ts";
import { endedCookie, isSecure, sessionCookie, sessionIdOf } from "../access/cookie.ts";
import type { Gate } from "../access/gate.ts";
import type { Session } from "../access/sessions.ts";
import type { AdminApp } from "../context.ts";
import { refusals } from "../openapi.ts";
import { Refused } from "../problem.ts";

const sessionView = z
  .object({
    name: z.string(),
    role: z.enum(roles),
    csrf: z.string().meta({ description: "To be sent as x-csrf-token with every change" }),
    expiresAt: z
      .string()
      .meta({ description: "RFC 3339; 15 minutes after the last request, if that is earlier" }),
  })
  .meta({
    examples: [{ name: "ana", role: "operator", csrf: "Zm9v", expiresAt: "2025-03-01T20:00:00.000Z" }],
  });

const tags = ["session"];
const url = "/api/v1/session";

export function sessionRoutes(app: AdminApp, { sessions }: Pick<Gate, "sessions">): void {
  app.route({
    method: "POST",
    url,
    schema: {
      operationId: "signIn",
      summary: "Trade a bearer token for a session cookie of this instance",
      tags,
      response: { 200: sessionView.describe("Signed in"), ...refusals([]) },
    },
    handler: async (request, reply) => {
      // A session must not prolong itself.
      const { authorization } = request.headers;
      if (request.actor === null || request.session !== null || authorization === undefined) {
        throw new Refused("unauthenticated", "a bearer token is needed", {
          headers: { "www-authenticate": 'Bearer realm="cutover"' },
        });
      }
      const { id, session } = sessions.open(request.actor, request.credentialEndsAtMs ?? undefined);
      reply.header("set-cookie", sessionCookie(id, isSecure(request.headers)));
      return viewOf(session);
    },
  });

  app.route({
    method: "GET",
    url,
    schema: {
      operationId: "getSession",
      summary: "Who is signed in by the cookie, and the token that changes need",
      tags,
      response: { 200: sessionView.describe("The session"), ...refusals(["not_found"]) },
    },
    handler: async (request) => viewOf(ownSession(request)),
  });

  app.route({
    method: "DELETE",
    url,
    schema: {
      operationId: "signOut",
      summary: "End the cookie's session",
      tags,
      response: { 204: z.null().describe("Signed out"), ...refusals(["not_found"]) },
    },
    handler: async (request, reply) => {
      ownSession(request);
      const id = sessionIdOf(request.headers);
      if (id !== undefined) sessions.end(id);
      reply.header("set-cookie", endedCookie(isSecure(request.headers)));
      return reply.code(204).send(null);
    },
  });

  function ownSession(request: FastifyRequest): Session {
    const { session } = request;
    if (session === null) throw new Refused("not_found", "no session came with the request");
    return session;
  }
}

function viewOf({ actor, csrf, expiresAtMs }: Session): z.output<typeof sessionView> {
  return { ...actor, csrf, expiresAt: new Date(expiresAtMs).toISOString() };
}
