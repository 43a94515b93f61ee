/**
 * What every request passes, in this order: the fields that every answer carries, its session (access/session-cookie.ts),
 * who asks (gate.ts), who may talk to this listener at all (browser.ts), the CSRF token of a change made with a session,
 * the route with its method, the body, the schemas. Every error leaves through one
 * handler, as a problem and without a trace.
 */
import { randomUUID } from "node:crypto";
import fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { systemTimers } from "../base/clock.ts";
import type { Actor } from "../state/rules/model.ts";
import { refuseForeignPages, safeMethods } from "./access/browser.ts";
import type { Asking, Gate } from "./access/gate.ts";
import { withoutPagePath } from "./access/page-path.ts";
import type { PageDoor } from "./access/session-cookie.ts";
import type { PageSession } from "./access/sessions.ts";
import { cutoverName } from "./api/cutover-view.ts";
import type { ProblemDetails } from "./api/problem-details.ts";
import type { AdminApp, AdminContext } from "./context.ts";
import { answerUnparsed, createListener } from "./listen/listener.ts";
import { createPlaces } from "./listen/places.ts";
import { problemFor, problemType, Refused } from "./problem.ts";
import type { Views } from "./view.ts";
import { requestOrigin } from "./writer.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; null on what is public. */
    actor: Actor | null;
    /** The session whose cookie says so; null where a token does. */
    signedIn: PageSession | null;
    /** Whether what admitted it would not any more. */
    isOver: () => boolean;
    /** When the token ends, ms since the epoch; null: not known to. */
    credentialEndsAtMs: number | null;
    /** The monotonic clock's time at arrival. */
    arrivedMs: number;
    /** Its refusal is in the audit file already. */
    isAudited: boolean;
    /** The CSRF token that came as a form's field. */
    formToken: string | undefined;
  }
  interface FastifyContextConfig {
    /** Answered without a token. */
    isPublic?: boolean;
  }
}

const everyAnswer = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

const maxBodyBytes = 64 * 1024;

/** @returns an application without routes, and how people sign in to its page; `undefined` where nobody has to */
export async function createApp(
  context: AdminContext,
  gate: Gate,
  views: Views,
): Promise<{ app: AdminApp; door: PageDoor | undefined }> {
  const { admit, answerError, answerUnrouted } = createEntrance(context, gate, views);
  /** The paths that are answered without a token. */
  const publicPaths = new Set<string>();
  const places = createPlaces({ ...context, timers: systemTimers });
  const early = {
    gate,
    places,
    tls: context.tls,
    onFault: (error: unknown) =>
      context.log.warn(
        { err: error },
        "the admin listener's certificate cannot be used: the one before stays",
      ),
    isPublic: (path: string) => publicPaths.has(path),
    everyField: Object.entries(everyAnswer).flat(),
    onRefused: () => context.counts.refused("too_many_attempts"),
  };
  const app: AdminApp = fastify({
    logger: false,
    // A key has 512 bytes, and in a path each may take three.
    routerOptions: { maxParamLength: 2048 },
    genReqId: () => randomUUID(),
    bodyLimit: maxBodyBytes,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    rewriteUrl: withoutPagePath,
    // Schemas are zod's: without these fastify would load a validator and a serializer that nobody asks.
    schemaController: { compilersFactory: { buildValidator: () => unasked, buildSerializer: () => unasked } },
    serverFactory: (full) => createListener(full, early),
    frameworkErrors: answerUnrouted,
    clientErrorHandler: answerUnparsed,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest("actor", null);
  app.decorateRequest("signedIn", null);
  app.decorateRequest("isOver", () => false);
  app.decorateRequest("credentialEndsAtMs", null);
  app.decorateRequest("arrivedMs", 0);
  app.decorateRequest("isAudited", false);
  app.decorateRequest("formToken", undefined);
  readJsonBodies(app);

  app.addHook("onRequest", async (request, reply) => {
    request.arrivedMs = context.clock.monotonic();
    reply.headers(everyAnswer).header("x-request-id", request.id);
  });
  // Where nobody signs in, what keeps sessions is not loaded.
  const door = context.auth === "none" ? undefined : await loadDoor(app, gate, context.log);
  app.addHook("onRequest", async (request) => {
    await admit(request, request.routeOptions.config.isPublic === true);
    // Where nobody signs in, nobody is known.
    if (request.actor !== null && context.auth !== "none") places.known(request.socket);
  });
  if (door !== undefined) app.addHook("onRequest", door.refuseForgedChange);
  app.addHook("onRoute", ({ url, config }) => {
    if (config?.isPublic === true) publicPaths.add(url);
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(async () => {
    throw new Refused("not_found", "no such path");
  });
  return { app, door };
}

async function loadDoor(app: AdminApp, { sessions }: Gate, log: AdminContext["log"]): Promise<PageDoor> {
  const { registerSessions } = await import("./access/session-cookie.ts");
  return registerSessions(app, sessions, log);
}

function unasked(): never {
  throw new Error("a schema that is none of zod's");
}

/** Who is let in, and what the others are answered. */
function createEntrance(context: AdminContext, gate: Gate, views: Views) {
  const { auth, log } = context;

  /** @throws Refused */
  async function admit(request: FastifyRequest, isPublic: boolean): Promise<void> {
    if (!isPublic) {
      const admitted = await gate.admit(askingOf(request));
      request.actor = admitted.actor;
      request.signedIn = admitted.page ?? null;
      request.isOver = admitted.isOver;
      request.credentialEndsAtMs = admitted.expiresAtMs ?? null;
    }
    refuseForeignPages({ method: request.method, headers: request.headers }, auth === "none");
  }

  function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const problem = problemFor(error);
    context.counts.refused(problem.code);
    tellTurnedAway(context, views, request, problem);
    if (problem.code === "internal") log.error({ err: error }, "the admin API met an unexpected error");
    if (error instanceof Refused) reply.headers(error.headers);
    return reply.code(problem.status).type(problemType).send(JSON.stringify(problem));
  }

  /** A target that does not decode reaches no hook: the same order of checks stands here. */
  function answerUnrouted(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    reply.headers(everyAnswer);
    admit(request, false).then(
      () => answerError(error, request, reply),
      (refused: unknown) => answerError(refused, request, reply),
    );
  }

  return { admit, answerError, answerUnrouted };
}

/** What a target that does not decode came with is not looked at: it has no session. */
export function askingOf({ headers, socket, session }: FastifyRequest): Asking {
  return { headers, remote: socket.remoteAddress ?? "", page: session?.page };
}

/**
 * Tells the audit file of a request that would have changed something and was refused before or beside the rule book: a
 * page of another origin, a missing CSRF token, a role that may not approve or annotate, one's own proposal, a store out
 * of reach. Wrong tokens and what does not read as a request are none of it: they are in the log (attempts.ts), and
 * nobody's.
 */
function tellTurnedAway(
  { audit, log }: AdminContext,
  views: Views,
  request: FastifyRequest,
  { code, detail = "" }: ProblemDetails,
): void {
  const { method, headers, actor, routeOptions, params, id: requestId } = request;
  if (safeMethods.has(method) || request.isAudited) return;
  const { data } = cutoverName.safeParse(params);
  const name = views.names().find((each) => each === data?.name) ?? null;
  const isTold =
    code === "forbidden" || (name !== null && (code === "not_found" || code === "store_unavailable"));
  if (!isTold) return;
  const call = routeOptions.url === undefined ? null : `${method} ${routeOptions.url}`;
  const { via } = requestOrigin(request);
  const page = pageOf(headers.origin);
  log.info({ cutover: name, call, by: actor?.name ?? null, code, page, requestId }, "a call was refused");
  audit.turnedAway({ name, call, actor, via, code, why: detail, page, requestId });
}

const longestPage = 300;

/** Scheme, host and port alone. */
function pageOf(origin: string | undefined): string | null {
  if (origin === undefined || origin.length > longestPage || !URL.canParse(origin)) return null;
  return new URL(origin).origin;
}

/** Bodies are JSON in UTF-8 only (RFC 8259 §8.1), or none at all whatever type was named. */
function readJsonBodies(app: AdminApp): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (_request: unknown, body: Buffer) => {
      return body.length === 0 ? undefined : parseJson(body);
    },
  );
  // `curl -d ''` names a form of no fields: nobody in a hurry is refused for that.
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (_request: unknown, body: Buffer) => {
    if (body.length > 0) throw new Refused("unsupported_media_type", "the body must be application/json");
    return undefined;
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Refused("malformed_body", "the body is not JSON");
  }
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] as const;

/**
 * Notes every route made after this call.
 *
 * @returns what to call when all routes are made: a known path asked for by a method it has not is then answered 405
 *   with `Allow` (RFC 9110 §15.5.6), never 404
 */
export function watchMethods(app: AdminApp): () => void {
  const paths = new Map<string, { allowed: Set<string>; isPublic: boolean }>();
  app.addHook("onRoute", (route) => {
    const known = paths.get(route.url) ?? { allowed: new Set(), isPublic: route.config?.isPublic === true };
    for (const method of [route.method].flat()) known.allowed.add(method);
    paths.set(route.url, known);
  });
  return () => {
    for (const [url, { allowed, isPublic }] of [...paths]) {
      const allow = [...allowed].join(", ");
      app.route({
        method: methods.filter((method) => !allowed.has(method)),
        url,
        config: { isPublic },
        schema: { hide: true },
        // Before the body is read: a wrong method is wrong whatever it carries.
        onRequest: async () => {
          throw new Refused("method_not_allowed", `the path knows ${allow}`, { headers: { allow } });
        },
        handler: async () => undefined,
      });
    }
  };
}
