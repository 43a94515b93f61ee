/**
 * Signing in and out of the page, where a bearer token is traded for a cookie that no script can read; the sessions there
 * are, and their end; and who the caller is, which a person checks first when something is refused or clocks are doubted.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import { systemTimers, within } from "../../base/clock.ts";
import { roles } from "../../state/rules/model.ts";
import type { Gate } from "../access/gate.ts";
import { pagePath } from "../access/page-path.ts";
import type { PageDoor } from "../access/session-cookie.ts";
import type { PageSession } from "../access/sessions.ts";
import { identity } from "../api/instance-view.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { refusalAnswers } from "../openapi.ts";
import { Refused } from "../problem.ts";
import { actorOf } from "../writer.ts";

const timestamp = z.string().meta({ description: "RFC 3339" });
const expiresAt = z
  .string()
  .meta({ description: "RFC 3339; 15 minutes after a person last used it, if that is earlier" });
const sessionView = z
  .object({
    name: z.string(),
    role: z.enum(roles),
    path: z
      .string()
      .meta({ description: "Where the page and the API are for it: its cookie goes nowhere else" }),
    csrf: z.string().meta({ description: "To be sent as x-csrf-token with every change" }),
    expiresAt,
  })
  .meta({
    examples: [
      {
        name: "ana",
        role: "operator",
        path: "/s/VQ6EAOKbQdSnFkRmVUQAAA/",
        csrf: "Zm9v",
        expiresAt: "2025-03-01T20:00:00.000Z",
      },
    ],
  });
const sessionEntry = z.object({
  handle: z.string(),
  name: z.string(),
  role: z.enum(roles),
  beganAt: timestamp,
  usedAt: timestamp,
  expiresAt,
});

const tags = ["session"];
const url = "/api/v1/session";

export function sessionRoutes(
  app: AdminApp,
  context: AdminContext,
  gate: Gate,
  door: PageDoor | undefined,
): void {
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
      const isByToken = request.actor !== null && request.signedIn === null;
      if (door === undefined || !isByToken || request.headers.authorization === undefined) {
        throw new Refused("unauthenticated", "a bearer token is needed", {
          headers: { "www-authenticate": 'Bearer realm="cutover"' },
        });
      }
      const expiresAtMs = request.credentialEndsAtMs ?? undefined;
      const session = await door.begin(request, actorOf(request), { expiresAtMs });
      return viewOf(session, reply);
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
    handler: async (request, reply) => viewOf(ownSession(request), reply),
  });

  signOutRoutes(app, door);
  sessionsRoutes(app, context, gate);
  whoAmIRoute(app, context);
}

function signOutRoutes(app: AdminApp, door: PageDoor | undefined): void {
  const response = { 204: z.null().describe("Signed out"), ...refusalAnswers(["not_found"]) };
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    await door?.end(request, reply, ownSession(request));
    return reply.code(204).send(null);
  };
  app.route({
    method: "POST",
    url: `${url}/end`,
    schema: { operationId: "signOut", summary: "End the cookie's session", tags, response },
    handler,
  });
  app.route({
    method: "DELETE",
    url,
    schema: { operationId: "endSession", summary: "As signOut, for programs", tags, response },
    handler,
  });
}

/** An admin sees and ends everybody's, anybody else those under his own name. */
function sessionsRoutes(app: AdminApp, { log }: AdminContext, { sessions }: Gate): void {
  const seenBy = (request: FastifyRequest) => {
    const { name, role } = actorOf(request);
    return sessions.list().filter(({ actor }) => role === "admin" || actor.name === name);
  };
  app.route({
    method: "GET",
    url: "/api/v1/sessions",
    schema: {
      operationId: "listSessions",
      summary: "The page's sessions on this instance: one's own, an admin everybody's",
      tags,
      response: { 200: z.array(sessionEntry).describe("The sessions"), ...refusalAnswers([]) },
    },
    handler: async (request) =>
      seenBy(request).map(({ handle, actor, beganAtMs, usedAtMs, expiresAtMs }) => ({
        handle,
        ...actor,
        beganAt: new Date(beganAtMs).toISOString(),
        usedAt: new Date(usedAtMs).toISOString(),
        expiresAt: new Date(expiresAtMs).toISOString(),
      })),
  });
  app.route({
    method: "POST",
    url: "/api/v1/sessions/:handle/revoke",
    schema: {
      operationId: "revokeSession",
      summary: "End a session on this instance, and the event streams it opened",
      tags,
      params: z.object({ handle: z.string() }),
      response: { 204: z.null().describe("Ended"), ...refusalAnswers(["not_found"]) },
    },
    handler: async (request, reply) => {
      const { handle } = request.params;
      const isSeen = seenBy(request).some((session) => session.handle === handle);
      if (!isSeen || !sessions.revoke(handle)) throw new Refused("not_found", "no such session here");
      log.info({ by: actorOf(request).name, session: handle }, "a session of the page was revoked");
      return reply.code(204).send(null);
    },
  });
}

function ownSession({ signedIn }: FastifyRequest): PageSession {
  if (signedIn === null) throw new Refused("not_found", "no session came with the request");
  return signedIn;
}

function viewOf(
  { actor, segment, expiresAtMs }: PageSession,
  reply: FastifyReply,
): z.output<typeof sessionView> {
  return {
    ...actor,
    path: pagePath(segment),
    csrf: reply.generateCsrf(),
    expiresAt: new Date(expiresAtMs).toISOString(),
  };
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
