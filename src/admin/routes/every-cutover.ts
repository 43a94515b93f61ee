/** A rollback or a hold of every cutover at once: one call, one answer, each cutover by itself in it. */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import type { Change } from "../../state/rules/model.ts";
import { holdAllBody, rollbackAllBody, type WriteOfAll, writeOfAll } from "../api/write.ts";
import type { AdminApp } from "../context.ts";
import { refusalAnswers } from "../openapi.ts";
import { problemFor, Refused } from "../problem.ts";
import type { Views } from "../view.ts";
import type { Write } from "../writer.ts";

/** One change of every cutover, each by itself. @throws Refused `forbidden` */
export type WriteAll = (
  request: FastifyRequest,
  change: Change,
  body: Parameters<Write>[3],
) => Promise<WriteOfAll[]>;

/** @returns what makes the change, for the forms of the page */
export function everyCutoverRoutes(app: AdminApp, write: Write, views: Views): WriteAll {
  async function writeAll(request: FastifyRequest, change: Change, body: Parameters<Write>[3]) {
    const names = views.names();
    const answers = await Promise.all(
      names.map(async (name) => {
        try {
          return await write(request, name, change, body);
        } catch (error) {
          // A role that may not do it to one may not do it to any.
          if (error instanceof Refused && error.code === "forbidden") throw error;
          return { name, refused: problemFor(error) };
        }
      }),
    );
    return answers;
  }

  app.route({
    method: "POST",
    url: "/api/v1/rollback",
    ...optionsOf(rollbackAllBody, "rollBackAll", "Percent 0 of every cutover, latched until it is resumed"),
    handler: async (request) => {
      const { hard } = request.body;
      return writeAll(request, { action: hard ? "rollback_hard" : "rollback" }, request.body);
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/hold",
    ...optionsOf(holdAllBody, "holdAll", "Freeze every cutover: no raise until it is resumed"),
    handler: async (request) => writeAll(request, { action: "hold" }, request.body),
  });
  return writeAll;
}

function optionsOf<Body extends z.ZodType>(body: Body, operationId: string, summary: string) {
  return {
    preValidation: async (request: FastifyRequest) => {
      // None is the same as an empty one.
      if (request.body === undefined) request.body = {};
    },
    schema: {
      operationId,
      summary,
      tags: ["cutovers"],
      body,
      response: {
        200: z.array(writeOfAll).describe("Each cutover in the order of the configuration"),
        ...refusalAnswers(["malformed_body", "body_too_large", "unsupported_media_type", "invalid"]),
      },
    },
  };
}
