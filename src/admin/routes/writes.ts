/** Changing cutovers: each call is one change (writer.ts). A raise that needs a second person becomes a proposal. */
import type { FastifyRequest } from "fastify";
import type { z } from "zod";
import { percentFromNumber } from "../../state/rules/percent.ts";
import { cutoverName } from "../api/cutover-view.ts";
import type { ProblemCode } from "../api/problem-details.ts";
import {
  closeBody,
  holdBody,
  type ProposalView,
  proposalView,
  resumeBody,
  rollbackBody,
  setPercentBody,
  writeAnswer,
} from "../api/write.ts";
import type { AdminApp, AdminOptions } from "../context.ts";
import { refusals } from "../openapi.ts";
import { originOf } from "../origin.ts";
import { Refused } from "../problem.ts";
import type { Proposals } from "../proposals.ts";
import type { Views } from "../view.ts";
import { actorOf, type Write } from "../writer.ts";

const anyWrite = [
  "malformed_body",
  "not_found",
  "version_conflict",
  "body_too_large",
  "unsupported_media_type",
  "invalid",
  "store_unavailable",
] as const satisfies readonly ProblemCode[];

export function writeRoutes(
  app: AdminApp,
  { log }: Pick<AdminOptions, "log">,
  write: Write,
  views: Views,
  proposals: Proposals,
): void {
  /** @returns undefined when no second person is asked for after all */
  async function propose(
    request: FastifyRequest,
    name: string,
    { percent, reason }: { readonly percent: number; readonly reason: string },
    { code, extras }: Refused,
  ): Promise<ProposalView | undefined> {
    if (code !== "approval_required" || extras.current === undefined) return undefined;
    const actor = actorOf(request);
    const { version } = extras.current;
    const by = { actor, origin: originOf(request) };
    const proposal = await proposals.propose(name, { percent, version, reason }, by);
    log.info(
      { cutover: name, proposal: proposal.id, by: actor.name, percent, version },
      "a raise was proposed",
    );
    return proposal;
  }

  const options = <Body extends z.ZodType>(
    body: Body,
    operationId: string,
    summary: string,
    refused: readonly ProblemCode[],
  ) => ({
    preValidation: async (request: FastifyRequest) => {
      const params = cutoverName.safeParse(request.params);
      views.assertKnown(params.success ? params.data.name : "");
      // Rolling back needs no body: none is the same as an empty one.
      if (request.body === undefined) request.body = {};
    },
    schema: {
      operationId,
      summary,
      tags: ["cutovers"],
      params: cutoverName,
      body,
      response: {
        200: writeAnswer.describe("Accepted; `changed` is false when it stood so already"),
        ...refusals([...anyWrite, ...refused]),
      },
    },
  });

  const setOptions = options(setPercentBody, "setPercent", "Raise or lower the percent", [
    "held",
    "rolled_back",
    "closed",
  ]);
  app.route({
    method: "PUT",
    url: "/api/v1/cutovers/:name/percent",
    ...setOptions,
    schema: {
      ...setOptions.schema,
      response: {
        ...setOptions.schema.response,
        202: proposalView.describe("Proposed: in force once another person has approved it"),
      },
    },
    handler: async (request, reply) => {
      const { body, params } = request;
      const percentThousandths = percentFromNumber(body.percent);
      if (percentThousandths === undefined) throw new Refused("invalid", "percent: expected 0 to 100");
      const change = { action: "set", percentThousandths } as const;
      try {
        return await write(request, params.name, change, body, proposals.limitOf(params.name));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const proposal = await propose(request, params.name, body, error);
        if (proposal === undefined) throw error;
        return reply.code(202).send(proposal);
      }
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/rollback",
    ...options(rollbackBody, "rollBack", "Percent 0, latched until it is resumed", ["closed"]),
    handler: async (request) => {
      const { body, params } = request;
      return write(request, params.name, { action: body.hard ? "rollback_hard" : "rollback" }, body);
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/hold",
    ...options(holdBody, "hold", "Freeze: no raise until it is resumed", ["rolled_back", "closed"]),
    handler: async (request) => write(request, request.params.name, { action: "hold" }, request.body),
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/resume",
    ...options(resumeBody, "resume", "End a hold or a rollback", ["closed"]),
    handler: async (request) => write(request, request.params.name, { action: "resume" }, request.body),
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/close",
    ...options(closeBody, "close", "Close legacy for good: the point of no return", [
      "held",
      "rolled_back",
      "not_complete",
    ]),
    handler: async (request) => write(request, request.params.name, { action: "close" }, request.body),
  });
}
