/**
 * Freezing everything: seen, begun, lifted. What was frozen, until when and by whom stands in the history of each cutover,
 * too, as a remark on the change in force.
 */
import type { FastifyRequest } from "fastify";
import { errorText } from "../../../base/log.ts";
import { isAtLeast, rules } from "../../../state/rules/model.ts";
import {
  type FreezeAnswer,
  type FreezeView,
  freezeAnswer,
  freezeBody,
  freezeMoment,
  freezeView,
  unfreezeBody,
} from "../../api/plan/freeze-view.ts";
import type { AdminApp, AdminContext } from "../../context.ts";
import type { Fleet } from "../../fleet.ts";
import { refusalAnswers } from "../../openapi.ts";
import { Refused } from "../../problem.ts";
import type { Views } from "../../view.ts";
import { actorOf, requestOrigin } from "../../writer.ts";

const tags = ["cutovers"];
const refusals = ["malformed_body", "body_too_large", "unsupported_media_type", "invalid"] as const;

export function freezeRoutes(app: AdminApp, context: AdminContext, views: Views, fleet: Fleet): void {
  const { clock } = context;
  const { raises } = context.plans;
  const tell = createTelling(context, views);

  async function answer(request: FastifyRequest, changed: boolean): Promise<FreezeAnswer> {
    const [view, records] = [await show(context), await fleet.read()];
    const of = records.length;
    const ms = Math.round((clock.monotonic() - request.arrivedMs) * 10) / 10;
    return { ...view, changed, applied: { instances: of, of, ms } };
  }

  app.route({
    method: "GET",
    url: "/api/v1/freeze",
    schema: {
      operationId: "getFreeze",
      summary: "What is frozen, and what has happened of freezes",
      tags,
      response: { 200: freezeView.describe("The freeze"), ...refusalAnswers(["store_unavailable"]) },
    },
    handler: async () => show(context),
  });

  app.route({
    method: "POST",
    url: "/api/v1/freeze",
    schema: {
      operationId: "freeze",
      summary: "Raise and close nothing, in no cutover, until a moment",
      description:
        "Longer or anew: a responder may. To end it sooner is to lift a part of it: an operator's.",
      tags,
      body: freezeBody,
      response: {
        200: freezeAnswer.describe("Frozen"),
        ...refusalAnswers([...refusals, "store_unavailable"]),
      },
    },
    handler: async (request) => {
      const { until, reason } = request.body;
      const actor = assertRole(request, "hold");
      const untilMs = freezeMoment(until, clock.now());
      if (untilMs === undefined) {
        throw new Refused("invalid", "until: expected a time within a year to come");
      }
      const done = await raises.freeze({ by: actor.name, role: actor.role, reason, untilMs });
      if (done.kind === "forbidden") {
        throw new Refused("forbidden", `to end a freeze sooner takes the role ${rules.minimumRole.raise}`);
      }
      if (done.changed) await tell(request, { event: "frozen", until: isoOf(untilMs), reason });
      return await answer(request, done.changed);
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/unfreeze",
    schema: {
      operationId: "unfreeze",
      summary: "Lift the freeze before its time",
      tags,
      body: unfreezeBody,
      response: {
        200: freezeAnswer.describe("Nothing is frozen"),
        ...refusalAnswers([...refusals, "store_unavailable"]),
      },
    },
    handler: async (request) => {
      const { reason } = request.body;
      const actor = assertRole(request, "raise");
      const done = await raises.lift({ by: actor.name, role: actor.role, reason });
      if (done.kind === "forbidden") throw new Refused("forbidden", "it takes another role");
      if (done.changed) await tell(request, { event: "lifted", until: null, reason });
      return await answer(request, done.changed);
    },
  });
}

async function show({ plans }: Pick<AdminContext, "plans">): Promise<FreezeView> {
  const { freeze, events } = await plans.raises.frozen();
  return {
    frozen: freeze !== undefined,
    until: freeze === undefined ? null : isoOf(freeze.untilMs),
    since: freeze?.at ?? null,
    by: freeze?.by ?? null,
    reason: freeze?.reason ?? null,
    past: events.map(({ untilMs, ...event }) => ({
      ...event,
      until: untilMs === undefined ? null : isoOf(untilMs),
    })),
  };
}

/** Tells the log, the audit file and each cutover's history. Never rejects: the freeze stands. */
function createTelling({ store, audit, log }: AdminContext, views: Views) {
  return async (
    request: FastifyRequest,
    { event, until, reason }: { event: "frozen" | "lifted"; until: string | null; reason: string },
  ): Promise<void> => {
    const [actor, origin] = [actorOf(request), requestOrigin(request)];
    const what = event === "frozen" ? `everything is frozen until ${until}` : "the freeze is lifted";
    log.warn({ by: actor.name, until, reason, requestId: request.id }, what);
    audit.freeze({ event, until, actor, reason, origin });
    const remark = `${what}${reason === "" ? "" : `: ${reason}`}`.slice(0, longestRemark);
    const each = views.names().map(async (name) => {
      // A cutover that was never changed has no history to remark on.
      const { version } = views.state(name);
      if (version > 0) await store.annotate({ name, version, by: actor.name, reason: remark, ...origin });
    });
    const outcomes = await Promise.allSettled(each);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) log.warn({ problem: errorText(failed.reason) }, "a history lacks a remark");
  };
}

const longestRemark = 600;

/** Whoever may make such a change of one cutover. */
function assertRole(request: FastifyRequest, change: "hold" | "raise") {
  const actor = actorOf(request);
  const needed = rules.minimumRole[change];
  if (!isAtLeast(actor.role, needed)) throw new Refused("forbidden", `it takes the role ${needed}`);
  return actor;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
