/** What programs ask: health, metrics, events and the API's own description. */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import * as z from "zod";
import { healthView } from "../api/instance-view.ts";
import { type AdminApp, type AdminContext, versionsIn } from "../context.ts";
import type { EventStreams } from "../events.ts";
import type { Fleet } from "../fleet.ts";
import { finishOpenApi, openapiDocument, refusalAnswers } from "../openapi.ts";
import { contactView } from "../view.ts";

const tags = ["operation"];
const security: [] = [];

export function operationRoutes(
  app: AdminApp,
  context: AdminContext,
  streams: EventStreams,
  fleet: Fleet,
): void {
  healthRoutes(app, context);
  metricsRoute(app, context);
  descriptionRoute(app);
  eventsRoute(app, streams, fleet);
}

function healthRoutes(app: AdminApp, { follower, ownerStores, health }: AdminContext): void {
  const healthNow = () => {
    const own = [...ownerStores()].map(([name, contact]) => [name, contactView({ contact: () => contact })]);
    return {
      status: health(),
      store: contactView(follower),
      ...(own.length === 0 ? {} : { ownerStores: Object.fromEntries(own) }),
      cutovers: { ...versionsIn(follower) },
    };
  };

  app.route({
    method: "GET",
    url: "/health/live",
    config: { isPublic: true },
    schema: {
      operationId: "live",
      summary: "200 as long as the process runs",
      tags,
      security,
      response: { 200: healthView.describe("Alive"), ...refusalAnswers([], "public") },
    },
    handler: async () => healthNow(),
  });

  app.route({
    method: "GET",
    url: "/health/ready",
    config: { isPublic: true },
    schema: {
      operationId: "ready",
      summary: "Whether traffic may come; a store out of reach is in the body, not in the status",
      tags,
      security,
      response: {
        200: healthView.describe("Ready"),
        ...refusalAnswers([], "public"),
        503: healthView.describe("Starting or draining"),
      },
    },
    handler: async (_, reply) => {
      const now = healthNow();
      return reply.code(now.status === "ready" ? 200 : 503).send(now);
    },
  });
}

function metricsRoute(app: AdminApp, { metrics }: AdminContext): void {
  app.route({
    method: "GET",
    url: "/metrics",
    config: { isPublic: true },
    schema: {
      operationId: "metrics",
      summary: "Prometheus exposition",
      tags,
      security,
      response: {
        200: {
          description: "The metrics, in the format that Accept asks for",
          content: {
            "text/plain": { schema: z.string() },
            "application/openmetrics-text": { schema: z.string() },
          },
        },
        ...refusalAnswers([], "public"),
      },
    },
    handler: async ({ headers }, reply) => {
      const { contentType, parts } = await metrics(headers.accept);
      // Its schema says what is sent, not that it comes in parts.
      const answer: FastifyReply = reply;
      return answer.header("vary", "accept").type(contentType).send(Readable.from(parts));
    },
  });
}

function descriptionRoute(app: AdminApp): void {
  let description: z.output<typeof openapiDocument> | undefined;
  app.route({
    method: "GET",
    url: "/openapi.json",
    config: { isPublic: true },
    schema: {
      operationId: "openapi",
      summary: "This description",
      tags,
      security,
      response: { 200: openapiDocument.describe("OpenAPI 3.1"), ...refusalAnswers([], "public") },
    },
    handler: async () => {
      description ??= finishOpenApi(app.swagger());
      return description;
    },
  });
}

function eventsRoute(app: AdminApp, streams: EventStreams, fleet: Fleet): void {
  app.route({
    method: "GET",
    url: "/api/v1/events",
    // An answer without a body would be a stream that never ends.
    exposeHeadRoute: false,
    schema: {
      operationId: "events",
      summary: "Server-sent events",
      description:
        "`snapshot` first (as listCutovers), then `change` (one cutover), `metrics` (name, traffic and instances of " +
        "each, every second), `verdict` (name and guard as getGuard tells it, when its guard has come to another) and " +
        "`tick` (`serverTime` and `store`, every second). No tick for 3 s means stale. " +
        "It ends with the session or token that opened it.",
      tags: ["fleet"],
      response: {
        200: { description: "The stream", content: { "text/event-stream": { schema: z.string() } } },
        ...refusalAnswers(["too_many_streams"]),
      },
    },
    handler: async (request, reply) => {
      const records = await fleet.read();
      streams.assertRoom();
      const fields = Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value] as const],
      );
      reply.hijack();
      streams.feed(reply.raw, Object.fromEntries(fields), records, request.isOver);
    },
  });
}
