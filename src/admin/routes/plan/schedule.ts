/**
 * Setting a percent at a time: asked for, listed, cancelled. It is made by the plan's steward, subject to every gate then; what
 * the calendar has against it already is refused at once. Where four eyes are on, each raise at a time needs another person:
 * how far its author will have raised alone by then nobody knows.
 */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { type Change, isAtLeast, type Role, rules, transition } from "../../../state/rules/model.ts";
import { percentFromNumber } from "../../../state/rules/percent.ts";
import { standingPercent } from "../../../state/rules/routing.ts";
import { cutoverName } from "../../api/cutover-view.ts";
import { type ScheduledView, scheduledView } from "../../api/plan/raise-view.ts";
import { scheduleBody, scheduledMoment, scheduledPath } from "../../api/plan/schedule-view.ts";
import { type ProposalView, proposalView } from "../../api/write.ts";
import type { AdminApp, AdminContext } from "../../context.ts";
import { changeRefusals, refusalAnswers } from "../../openapi.ts";
import { Refused, refusedByRules } from "../../problem.ts";
import type { Proposals } from "../../proposals.ts";
import { refusedThen } from "../../raises/against.ts";
import type { Views } from "../../view.ts";
import { actorOf, requestOrigin } from "../../writer.ts";
import { propose } from "../proposing.ts";

const tags = ["cutovers"];

export function scheduleRoutes(
  app: AdminApp,
  context: AdminContext,
  views: Views,
  proposals: Proposals,
): void {
  const { schedule } = context.plans;
  const scheduling = createScheduling(context, views);
  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/schedule",
    schema: {
      operationId: "listSchedule",
      summary: "What is to be set at a time, and what became of what was",
      tags,
      params: cutoverName,
      response: {
        200: z.array(scheduledView).describe("What waits by its time, then what is over, newest first"),
        ...refusalAnswers(["not_found", "store_unavailable"]),
      },
    },
    handler: async ({ params: { name } }) => {
      views.assertKnown(name);
      return [...(await schedule.list(name))];
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/schedule",
    schema: {
      operationId: "schedule",
      summary: "Set the percent at a time",
      tags,
      params: cutoverName,
      body: scheduleBody,
      response: {
        201: scheduledView.describe("It waits for its time"),
        202: proposalView.describe("Proposed: it waits for its time once another person has approved it"),
        ...refusalAnswers([...changeRefusals, "forbidden", "closed", "in_window", "frozen"]),
      },
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      views.assertKnown(name);
      const asked = await scheduling.judged(request, name, request.body);
      if (asked.isRaise && proposals.limitOf(name) !== undefined) {
        reply.code(202);
        const { percent, cohort, reason, override, at } = request.body;
        const whose = cohort === undefined ? {} : { cohort };
        const { version } = views.state(name);
        const proposed = {
          action: "schedule",
          percent,
          reason,
          override,
          version,
          dueAt: at,
          ...whose,
        } as const;
        return await propose(context, proposals, request, name, proposed);
      }
      reply.code(201);
      return await scheduling.add(request, name, request.body, actorOf(request).name);
    },
  });

  cancelRoute(app, context, views);
}

function cancelRoute(app: AdminApp, context: AdminContext, views: Views): void {
  app.route({
    method: "DELETE",
    url: "/api/v1/cutovers/:name/schedule/:id",
    schema: {
      operationId: "cancelScheduled",
      summary: "Not to set what was to be set at a time, one's own or another's",
      tags,
      params: scheduledPath,
      response: {
        204: z.null().describe("Cancelled"),
        ...refusalAnswers(["not_found", "forbidden", "store_unavailable"]),
      },
    },
    handler: async (request, reply) => {
      const { name, id } = request.params;
      views.assertKnown(name);
      const actor = actorOf(request);
      assertRole(actor.role, rules.withdrawRole);
      const found = await context.plans.schedule.cancel(name, id, actor.name);
      if (found === undefined) throw new Refused("not_found", "nothing of that id waits");
      tell(context, request, name, "cancelled", found);
      return reply.code(204).send(null);
    },
  });
}

type Asked = Pick<z.output<typeof scheduleBody>, "percent" | "cohort" | "at" | "reason" | "override">;

/** Scheduling, as who asks for it and as who approves it does. */
export function createScheduling(context: AdminContext, views: Views) {
  const { plans, follower, clock } = context;

  /** What it is, by how the cutover stands now. @throws Refused */
  async function judged(request: FastifyRequest, name: string, { percent, cohort, at, override }: Asked) {
    const dueMs = scheduledMoment(at, clock.now());
    if (dueMs === undefined) throw new Refused("invalid", "at: expected a time within 92 days to come");
    if (cohort !== undefined) views.assertCohort(name, cohort);
    await follower.refresh();
    const stands = views.state(name);
    const percentThousandths = percentFromNumber(percent) ?? 0;
    const isRaise = percentThousandths > standingPercent(stands, cohort);
    const { role } = actorOf(request);
    assertRole(role, rules.minimumRole[isRaise ? "raise" : "lower"]);
    const change: Change = { action: "set", percentThousandths, cohort };
    const verdict = transition(stands, { change, actor: actorOf(request), reason: "", at: "" });
    // A hold or a rollback may be over by then; a close is not.
    if (!verdict.accepted && verdict.code === "closed") throw refusedByRules("closed", stands);
    if (isRaise && !override) {
      const refused = refusedThen(await plans.raises.against(name, dueMs), stands);
      if (refused !== undefined) throw refused;
    }
    return { isRaise, percentThousandths, dueMs };
  }

  return {
    judged,

    /** @param by who asks for it, and who approved that @throws Refused, StoreUnavailable */
    async add(request: FastifyRequest, name: string, asked: Asked, by: string): Promise<ScheduledView> {
      const { percentThousandths, dueMs } = await judged(request, name, asked);
      const { cohort, reason, override } = asked;
      const entry = await plans.schedule.add(name, {
        ...{ percentThousandths, dueMs, by, reason, requestId: request.id },
        ...(cohort === undefined ? {} : { cohort }),
        ...(override ? { override } : {}),
      });
      if (entry === undefined)
        throw new Refused("invalid", "too many wait for their time already: cancel some");
      tell(context, request, name, "scheduled", entry);
      return entry;
    },
  };
}

/** @returns what a proposal was made of */
export function scheduleOf({ percent, cohort, dueAt = "", reason, override = false }: ProposalView): Asked {
  return { percent, at: dueAt, reason, override, ...(cohort === undefined ? {} : { cohort }) };
}

function tell(
  { audit, log }: AdminContext,
  request: FastifyRequest,
  name: string,
  event: "scheduled" | "cancelled",
  { id, percent, cohort, at, by, reason }: ScheduledView,
): void {
  const actor = actorOf(request);
  const said = { id, percent, cohort, due: at };
  log.info({ cutover: name, by: actor.name, ...said }, `a percent was ${event}`);
  audit.schedule({ event, name, ...said, scheduledBy: by, reason, actor, origin: requestOrigin(request) });
}

function assertRole(role: Role, needed: Role): void {
  if (!isAtLeast(role, needed)) throw new Refused("forbidden", `it takes the role ${needed}`);
}
