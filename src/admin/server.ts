/**
 * The admin listener: API, status page, metrics, health. Every request passes, in this order: the fields every
 * answer carries, who asks (gate.ts), who may talk to this listener at all (browser.ts), the route, the schemas.
 * Every error leaves through one handler, as a problem and without a trace.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { noAudit } from "../audit/port.ts";
import type { Actor } from "../state/rules/model.ts";
import { refuseForeignPages } from "./access/browser.ts";
import { watchConnections } from "./access/connections.ts";
import { createRefusingServer, type ServerLimits } from "./access/early.ts";
import { type Asking, createGate } from "./access/gate.ts";
import type { Session } from "./access/sessions.ts";
import { isLoopbackHost } from "./access/tokens.ts";
import { createTurnedAway } from "./access/turned-away.ts";
import type { ProblemCode } from "./api/problem-details.ts";
import { maxBodyBytes, readJsonBodies } from "./body.ts";
import type { AdminApp, AdminOptions } from "./context.ts";
import { createEventStreams } from "./events.ts";
import { createFleet } from "./fleet.ts";
import { watchMethods } from "./methods.ts";
import { registerOpenApi } from "./openapi.ts";
import { problemFor, problemOf, problemType, Refused } from "./problem.ts";
import { createProposals } from "./proposals.ts";
import { historyRoutes } from "./routes/history.ts";
import { operationRoutes } from "./routes/operation.ts";
import { pageRoutes } from "./routes/page.ts";
import { proposalRoutes } from "./routes/proposals.ts";
import { readRoutes } from "./routes/reads.ts";
import { sessionRoutes } from "./routes/session.ts";
import { whoAmIRoute } from "./routes/whoami.ts";
import { writeRoutes } from "./routes/writes.ts";
import { createViews } from "./view.ts";
import { createWriter } from "./writer.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; null on what is open to everybody. */
    actor: Actor | null;
    /** The session whose cookie says so; null where a token does. */
    session: Session | null;
    /** When the token ends, ms since the epoch; null: not known to. */
    credentialEndsAtMs: number | null;
    /** The monotonic clock's time at arrival. */
    arrivedMs: number;
    /** Its refusal is in the audit file already. */
    isAudited: boolean;
  }
  interface FastifyContextConfig {
    /** Answered without a token. */
    isOpen?: boolean;
  }
}

export interface AdminServer {
  /**
   * @param at port 0 picks a free one
   * @throws Error when nothing can listen there, or when it is no loopback host and nobody has to sign in
   */
  listen(at: {
    readonly host: string;
    readonly port: number;
    /** A listening socket that was handed to the process, in place of the port. */
    readonly fd?: number;
  }): Promise<{ url: string; port: number }>;
  /** Shows these cutovers and knows these tokens from now on. */
  reconfigure(to: Pick<AdminOptions, "cutovers" | "auth">): void;
  /** Ends event streams, lets requests under way finish for 3 s, then closes. */
  close(): Promise<void>;
}

const limits: ServerLimits = {
  maxHeaderBytes: 16 * 1024,
  maxConnections: 512,
  requestTimeoutMs: 10_000,
  /** Longer than the longest `waitMs`. */
  idleTimeoutMs: 75_000,
  keepAliveMs: 10_000,
};
const closeGraceMs = 3000;

const everyAnswer = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;
const everyField: readonly string[] = Object.entries(everyAnswer).flat();

export async function createAdminServer(options: AdminOptions): Promise<AdminServer> {
  const { auth, clock, log, audit = noAudit } = options;
  const gate = createGate({ auth, clock, log });
  const proposals = createProposals({ ...options, audit });
  const fleet = createFleet(options, () => proposals.read());
  const views = createViews(options, fleet, proposals);
  const tellTurnedAway = createTurnedAway({ audit, log, gate, views });
  const streams = createEventStreams(options, views, fleet);

  /** The paths that are answered without a token. */
  const open = new Set<string>();
  const app: AdminApp = fastify({
    logger: false,
    genReqId: () => randomUUID(),
    bodyLimit: maxBodyBytes,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    serverFactory: (full) =>
      createRefusingServer(full, { gate, isOpen: (path) => open.has(path), everyAnswer: everyField }, limits),
    frameworkErrors: (error, request, reply) => answerUnrouted(error, request, reply),
    clientErrorHandler: answerUnparsed,
  }).withTypeProvider<ZodTypeProvider>();
  const endConnections = watchConnections(app.server);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest("actor", null);
  app.decorateRequest("session", null);
  app.decorateRequest("credentialEndsAtMs", null);
  app.decorateRequest("arrivedMs", 0);
  app.decorateRequest("isAudited", false);
  readJsonBodies(app);

  app.addHook("onRequest", async (request, reply) => {
    request.arrivedMs = clock.monotonic();
    reply.headers(everyAnswer).header("x-request-id", request.id);
    await admit(request, request.routeOptions.config.isOpen === true);
  });
  app.addHook("onRoute", ({ url, config }) => {
    if (config?.isOpen === true) open.add(url);
  });
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  app.setNotFoundHandler(async () => {
    throw new Refused("not_found", "no such path");
  });

  await registerOpenApi(app, auth, options.version);
  const refuseOtherMethods = watchMethods(app);
  readRoutes(app, options, views, fleet);
  historyRoutes(app, { ...options, audit }, views);
  const write = createWriter({ ...options, audit }, views, fleet);
  writeRoutes(app, options, write, views, proposals);
  proposalRoutes(app, { ...options, audit }, write, views, proposals);
  sessionRoutes(app, gate);
  whoAmIRoute(app, options);
  operationRoutes(app, options, streams, fleet);
  pageRoutes(app, options, gate, views, fleet);
  refuseOtherMethods();

  /** @throws Refused */
  async function admit(request: FastifyRequest, isOpen: boolean): Promise<void> {
    if (!isOpen) {
      const admitted = await gate.admit(askingOf(request));
      request.actor = admitted.actor;
      request.session = admitted.session ?? null;
      request.credentialEndsAtMs = admitted.expiresAtMs ?? null;
    }
    refuseForeignPages({ method: request.method, headers: request.headers }, auth === "none");
  }

  function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const problem = problemFor(error);
    tellTurnedAway(request, problem);
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

  return {
    async listen({ host, port, fd }) {
      if (auth === "none" && !isLoopbackHost(host)) {
        throw new Error("auth: none is only for a loopback host: configure tokens, or listen on 127.0.0.1");
      }
      if (fd === undefined) await app.listen({ host, port });
      else {
        await app.ready();
        app.server.listen({ fd });
        await once(app.server, "listening");
      }
      const address = app.server.address();
      if (address === null || typeof address === "string") throw new Error("the admin listener has no port");
      const name = host.includes(":") ? `[${host}]` : host;
      return { url: `http://${name}:${address.port}`, port: address.port };
    },

    reconfigure(to) {
      views.reconfigure(to.cutovers);
      proposals.reconfigure(to.cutovers);
      gate.reconfigure(to.auth);
    },

    async close() {
      streams.close();
      proposals.close();
      const stopEnding = endConnections(closeGraceMs);
      try {
        await app.close();
        // A server that fastify has not made listen itself it does not close.
        if (app.server.listening) await new Promise((resolve) => app.server.close(resolve));
      } finally {
        stopEnding();
      }
    },
  };
}

function askingOf({ method, headers, socket }: FastifyRequest): Asking {
  return { method, headers, remote: socket.remoteAddress ?? "" };
}

const unparsed: ReadonlyMap<string, readonly [ProblemCode, string]> = new Map([
  ["HPE_HEADER_OVERFLOW", ["headers_too_large", "the header fields are larger than 16 KiB"]],
  ["ERR_HTTP_REQUEST_TIMEOUT", ["request_timeout", "the request took longer than 10 s to arrive"]],
]);

/** What is no HTTP request reaches no route; the answer is written to the bare socket. */
function answerUnparsed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable || hasAnswered(socket)) {
    socket.destroy();
    return;
  }
  const [code, detail] = unparsed.get(error.code ?? "") ?? [
    "malformed_request",
    "this is no HTTP/1.1 request",
  ];
  const problem = problemOf(code, detail);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ""}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "cache-control: no-store",
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/** Whether an answer has begun on the socket, so that a second one would corrupt it. */
function hasAnswered(socket: Socket & { readonly _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}
