/** Changing cutovers: each call is one change (writer.ts). A raise that needs a second person becomes a proposal. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { percentFromNumber } from "../../state/rules/percent.ts";
import { cohortName, cutoverName } from "../api/cutover-view.ts";
import type { ProblemCode } from "../api/problem-details.ts";
import { maintenanceBody, maintenanceMoment } from "../api/sides/maintenance.ts";
import {
  holdBody,
  type ProposalView,
  proposalView,
  resumeBody,
  rollbackBody,
  setPercentBody,
  type WriteAnswer,
  writeAnswer,
} from "../api/write.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { changeRefusals, refusalAnswers } from "../openapi.ts";
import { Refused } from "../problem.ts";
import type { Proposals } from "../proposals.ts";
import type { gradually } from "../returns/gradually.ts";
import type { Views } from "../view.ts";
import type { Write } from "../writer.ts";
import { propose, versionToProposeOn } from "./proposing.ts";

const anyWrite = [...changeRefusals, "version_conflict"] as const satisfies readonly ProblemCode[];

export function writeRoutes(
  app: AdminApp,
  context: AdminContext,
  { write, rollBack }: Changing,
  views: Views,
  proposals: Proposals,
): void {
  percentRoutes(app, context, write, views, proposals);
  stateRoutes(app, { write, rollBack }, views);
  maintenanceRoute(app, context, write, views);
}

type Changing = ReturnType<typeof gradually>;

function percentRoutes(
  app: AdminApp,
  context: AdminContext,
  write: Write,
  views: Views,
  proposals: Proposals,
): void {
  const refused = ["held", "rolled_back", "closed", "without_effect", "in_window", "frozen"] as const;

  async function set(
    request: FastifyRequest<{ Params: { name: string }; Body: z.output<typeof setPercentBody> }>,
    reply: FastifyReply,
    cohort: string | undefined,
  ): Promise<WriteAnswer | ProposalView> {
    const { name } = request.params;
    const { percent, reason, override } = request.body;
    const percentThousandths = percentFromNumber(percent);
    if (percentThousandths === undefined) throw new Refused("invalid", "percent: expected 0 to 100");
    const whose = cohort === undefined ? {} : { cohort };
    const change = { action: "set", percentThousandths, ...whose } as const;
    try {
      return await write(request, name, change, request.body, proposals.limitOf(name));
    } catch (error) {
      const version = versionToProposeOn(error);
      if (version === undefined) throw error;
      const asked = { action: "set", override, percent, reason, version, ...whose } as const;
      reply.code(202);
      return await propose(context, proposals, request, name, asked);
    }
  }

  const proposed = { 202: proposalView.describe("Proposed: in force once another person has approved it") };
  const options = changeOptions(views, setPercentBody, "setPercent", "Raise or lower the percent", refused);
  app.route({
    method: "PUT",
    url: "/api/v1/cutovers/:name/percent",
    ...options,
    schema: { ...options.schema, response: { ...options.schema.response, ...proposed } },
    handler: async (request, reply) => set(request, reply, undefined),
  });

  const summary = "Raise or lower the percent of a cohort";
  const ofCohort = changeOptions(views, setPercentBody, "setCohortPercent", summary, refused);
  app.route({
    method: "PUT",
    url: "/api/v1/cutovers/:name/cohorts/:cohort/percent",
    preValidation: async (request) => {
      await ofCohort.preValidation(request);
      const { name, cohort } = cohortName.parse(request.params);
      views.assertCohort(name, cohort);
    },
    schema: {
      ...ofCohort.schema,
      params: cohortName,
      response: { ...ofCohort.schema.response, ...proposed },
    },
    handler: async (request, reply) => set(request, reply, request.params.cohort),
  });
}

function stateRoutes(app: AdminApp, { write, rollBack }: Changing, views: Views): void {
  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/rollback",
    ...changeOptions(views, rollbackBody, "rollBack", "Percent 0, latched until it is resumed", ["closed"]),
    handler: async (request) => {
      const { body, params } = request;
      if (body.gradual) return rollBack(request, params.name, body);
      return write(request, params.name, { action: body.hard ? "rollback_hard" : "rollback" }, body);
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/hold",
    ...changeOptions(views, holdBody, "hold", "Freeze: no raise until it is resumed", [
      "rolled_back",
      "closed",
    ]),
    handler: async (request) => write(request, request.params.name, { action: "hold" }, request.body),
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/resume",
    ...changeOptions(views, resumeBody, "resume", "End a hold or a rollback", ["closed"]),
    handler: async (request) => write(request, request.params.name, { action: "resume" }, request.body),
  });
}

function maintenanceRoute(app: AdminApp, { clock }: AdminContext, write: Write, views: Views): void {
  app.route({
    method: "PUT",
    url: "/api/v1/cutovers/:name/maintenance",
    ...changeOptions(views, maintenanceBody, "maintain", "Send nothing to a side until a moment", []),
    handler: async (request) => {
      const { body, params } = request;
      const { side, until } = body;
      const moment = until === null ? null : maintenanceMoment(until, clock.now());
      if (moment === undefined) throw new Refused("invalid", "until: expected a time within 31 days to come");
      return write(request, params.name, { action: "maintain", side, until: moment }, body);
    },
  });
}

/** What every call that changes a cutover has, but for its path and its handler. */
export function changeOptions<Body extends z.ZodType>(
  views: Views,
  body: Body,
  operationId: string,
  summary: string,
  refused: readonly ProblemCode[],
) {
  return {
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
        ...refusalAnswers([...anyWrite, ...refused]),
      },
    },
  };
}
