/**
 * A cutover's plan: seen, started, paused. Where large raises need a second person, so does starting a plan, once for all
 * its steps; one that was paused and goes on where it stood has been approved.
 */
import type { FastifyRequest } from "fastify";
import { isAtLeast, rules } from "../../../state/rules/model.ts";
import { percentToNumber } from "../../../state/rules/percent.ts";
import { cutoverName } from "../../api/cutover-view.ts";
import { type PlanDesk, pausePlanBody, planView, startPlanBody } from "../../api/plan/plan-view.ts";
import { proposalView, type WriteAnswer } from "../../api/write.ts";
import type { AdminApp, AdminContext } from "../../context.ts";
import { refusalAnswers } from "../../openapi.ts";
import { Refused } from "../../problem.ts";
import type { Proposals } from "../../proposals.ts";
import type { Views } from "../../view.ts";
import { actorOf, requestOrigin, type Write } from "../../writer.ts";
import { propose } from "../proposing.ts";
import { changeOptions } from "../writes.ts";

export function planRoutes(
  app: AdminApp,
  context: AdminContext,
  write: Write,
  views: Views,
  proposals: Proposals,
): void {
  const { plans } = context;
  showRoute(app, plans, views);
  const starting = createStarting(context, write, views);

  const startOptions = changeOptions(views, startPlanBody, "startPlan", "Raise by the plan from now on", [
    ...(["held", "rolled_back", "closed", "forbidden"] as const),
  ]);
  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/plan/start",
    ...startOptions,
    schema: {
      ...startOptions.schema,
      response: {
        ...startOptions.schema.response,
        202: proposalView.describe("Proposed: it starts once another person has approved it"),
      },
    },
    handler: async (request, reply) => {
      const { body, params } = request;
      const { name } = params;
      const found = await starting.startable(request, name);
      const stands = views.state(name);
      assertVersion(body.ifVersion, stands.version);
      if (found.isRunning || found.isContinued || proposals.limitOf(name) === undefined) {
        return await starting.start(request, name, body, actorOf(request).name);
      }
      reply.code(202);
      return await propose(context, proposals, request, name, {
        action: "plan",
        plan: found.fingerprint,
        force: false,
        reason: body.reason,
        percent: percentToNumber(found.lastThousandths),
        version: stands.version,
      });
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/plan/pause",
    ...changeOptions(
      views,
      pausePlanBody,
      "pausePlan",
      "No further step of the plan before it is started again",
      ["forbidden"],
    ),
    handler: async (request) => {
      const { body, params } = request;
      assertOperator(request);
      assertVersion(body.ifVersion, views.state(params.name).version);
      const actor = actorOf(request);
      const paused = await plans.pause(params.name, { by: actor.name, reason: body.reason });
      if (paused === undefined) throw new Refused("version_conflict", "the plan has changed meanwhile");
      if (paused) tell(context, request, params.name, "paused", body.reason);
      return await starting.answer(request, params.name, body, paused);
    },
  });
}

function showRoute(app: AdminApp, plans: PlanDesk, views: Views): void {
  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/plan",
    schema: {
      operationId: "getPlan",
      summary:
        "The plan: what is done, what is next and what it waits for, and its finish against the deadline",
      tags: ["cutovers"],
      params: cutoverName,
      response: { 200: planView.describe("The plan"), ...refusalAnswers(["not_found", "store_unavailable"]) },
    },
    handler: async ({ params: { name } }) => {
      views.assertKnown(name);
      return await plans.show(name);
    },
  });
}

interface Body {
  readonly reason: string;
  readonly waitMs: number;
}

/** Starting, as who starts it and as who approves it does. */
export function createStarting(context: AdminContext, write: Write, views: Views) {
  const { plans } = context;

  /** Of the state as it stands: a change that changes nothing, and says where that is in force. */
  async function answer(
    request: FastifyRequest,
    name: string,
    { waitMs }: Body,
    changed: boolean,
  ): Promise<WriteAnswer> {
    const { percentThousandths, version } = views.state(name);
    const change = { action: "set", percentThousandths } as const;
    return { ...(await write(request, name, change, { ifVersion: version, waitMs })), changed };
  }

  return {
    answer,

    async startable(request: FastifyRequest, name: string) {
      assertOperator(request);
      const found = await plans.startable(name);
      if ("code" in found) throw new Refused(found.code, found.detail);
      return found;
    },

    async start(request: FastifyRequest, name: string, body: Body, by: string): Promise<WriteAnswer> {
      const found = await plans.startable(name);
      if ("code" in found) throw new Refused(found.code, found.detail);
      if (!found.isRunning) {
        const isStarted = await plans.start(name, { by, reason: body.reason });
        if (!isStarted) throw new Refused("version_conflict", "the plan has changed meanwhile");
        tell(context, request, name, "started", body.reason);
      }
      return await answer(request, name, body, !found.isRunning);
    },
  };
}

function tell(
  { audit, log }: AdminContext,
  request: FastifyRequest,
  name: string,
  event: "started" | "paused",
  reason: string,
): void {
  const actor = actorOf(request);
  log.info({ cutover: name, by: actor.name }, `the plan was ${event}`);
  audit.plan({ event, name, actor, reason, origin: requestOrigin(request) });
}

/** Whoever raises step by step is who may raise. */
function assertOperator(request: FastifyRequest): void {
  const needed = rules.minimumRole.raise;
  if (!isAtLeast(actorOf(request).role, needed))
    throw new Refused("forbidden", `it takes the role ${needed}`);
}

function assertVersion(ifVersion: number | undefined, version: number): void {
  if (ifVersion === undefined || ifVersion === version) return;
  throw new Refused("version_conflict", "the state has another version than ifVersion says");
}
