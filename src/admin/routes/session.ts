/**
 * Signing in and out of the page, where a bearer token is traded for a cookie that no script can read; and who the caller
 * is, which a person checks first when something is refused or clocks are doubted.
 */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { systemTimers, within } from "../../base/clock.ts";
import { roles } from "../../state/rules/model.ts";
import type { Gate } from "../access/gate.ts";
import { endedCookie, isSecure, type Session, sessionCookie, sessionIdOf } from "../access/sessions.ts";
import { identity } from "../api/instance-view.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { refusalAnswers } from "../openapi.ts";
import { Refused } from "../problem.ts";
import { actorOf } from "../writer.ts";

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

export function sessionRoutes(app: AdminApp, context: AdminContext, { sessions }: Gate): void {
  app.route({
    method: "POST",
    url,
    schema: {
      operationId: "signIn",
      summary: "Trade a bearer token for a session cookie of this instance",
      tags,
      response: { 200: sessionView.describe("Signed in"), ...refusalAnswers([]) },
    },
    handler: async (request, reply) => {
      // A session must not prolong itself.
      const { authorization } = request.headers;
      if (request.actor === null || request.session !== null || authorization === undefined) {
        throw new Refused("unauthenticated", "a bearer token is needed", {
          headers: { "www-authenticate": 'Bearer realm="cutover"' },
        });
      }
      const { id, session } = sessions.begin(request.actor, request.credentialEndsAtMs ?? undefined);
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
      response: { 200: sessionView.describe("The session"), ...refusalAnswers(["not_found"]) },
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
      response: { 204: z.null().describe("Signed out"), ...refusalAnswers(["not_found"]) },
    },
    handler: async (request, reply) => {
      ownSession(request);
      const id = sessionIdOf(request.headers);
      if (id !== undefined) sessions.end(id);
      reply.header("set-cookie", endedCookie(isSecure(request.headers)));
      return reply.code(204).send(null);
    },
  });

  whoAmIRoute(app, context);
}

function ownSession({ session }: FastifyRequest): Session {
  if (session === null) throw new Refused("not_found", "no session came with the request");
  return session;
}

function viewOf({ actor, csrf, expiresAtMs }: Session): z.output<typeof sessionView> {
  return { ...actor, csrf, expiresAt: new Date(expiresAtMs).toISOString() };
}

function whoAmIRoute(app: AdminApp, { store, clock, instance, version }: AdminContext): void {
  app.route({
    method: "GET",
    url: "/api/v1/whoami",
    schema: {
      operationId: "whoAmI",
      summary: "Who the caller is to this instance, its clock and the store's",
      tags,
      response: { 200: identity.describe("The caller"), ...refusalAnswers([]) },
    },
    handler: async (request) => ({
      ...actorOf(request),
      instance: instance.id,
      version,
      serverTime: new Date(clock.now()).toISOString(),
      ...(await storeClock({ store, clock })),
    }),
  });
}

const patienceMs = 2000;

async function storeClock({ store, clock }: Pick<AdminContext, "store" | "clock">) {
  const sentMs = clock.monotonic();
  try {
    const { nowMs } = await within(patienceMs, systemTimers, store.roster());
    const storeMs = Math.round((clock.monotonic() - sentMs) * 10) / 10;
    return { storeTime: new Date(nowMs).toISOString(), storeMs };
  } catch {
    return { storeTime: null, storeMs: null };
  }
}
