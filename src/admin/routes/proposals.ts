/** Raises and closes that wait for another person: seen, approved, withdrawn. */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import type { Audit } from "../../audit/port.ts";
import { isAtLeast, rules } from "../../state/rules/model.ts";
import { percentFromNumber } from "../../state/rules/percent.ts";
import { cutoverName } from "../api/cutover-view.ts";
import { approveBody, type ProposalView, proposalView, writeAnswer } from "../api/write.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { refusalAnswers } from "../openapi.ts";
import { Refused, refusedByRules } from "../problem.ts";
import type { Proposals } from "../proposals.ts";
import type { Views } from "../view.ts";
import { actorOf, requestOrigin, type Write } from "../writer.ts";
import { createClosing } from "./closing.ts";
import { createStarting } from "./plan/plan.ts";
import { createScheduling, scheduleOf } from "./plan/schedule.ts";
import { wordOf } from "./proposing.ts";

const proposalPath = cutoverName.extend({ id: z.string().meta({ description: "The proposal's id" }) });
const tags = ["cutovers"];

export function proposalRoutes(
  app: AdminApp,
  context: AdminContext,
  write: Write,
  views: Views,
  proposals: Proposals,
): void {
  listRoute(app, views, proposals);
  approveRoute(app, context, write, views, proposals);
  withdrawRoute(app, context, views, proposals);
}

function listRoute(app: AdminApp, views: Views, proposals: Proposals): void {
  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/proposals",
    schema: {
      operationId: "listProposals",
      summary: "The raise or close that waits for another person, if there is one",
      tags,
      params: cutoverName,
      response: {
        200: z.array(proposalView).describe("The open proposals: one at most"),
        ...refusalAnswers(["not_found", "store_unavailable"]),
      },
    },
    handler: async ({ params: { name } }) => {
      views.assertKnown(name);
      const found = await proposals.waiting(name, views.state(name).version);
      return found === undefined ? [] : [found];
    },
  });
}

function approveRoute(
  app: AdminApp,
  context: AdminContext,
  write: Write,
  views: Views,
  proposals: Proposals,
): void {
  const { follower, log, audit } = context;
  const close = createClosing(context, write, views);
  const starting = createStarting(context, write, views);
  const scheduling = createScheduling(context, views);
  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/proposals/:id/approve",
    preValidation: async (request) => {
      // None is the same as an empty one.
      if (request.body === undefined) request.body = approveBody.parse({});
    },
    schema: {
      operationId: "approve",
      summary: "Make another person's proposed raise or close",
      tags,
      params: proposalPath,
      body: approveBody,
      response: {
        200: writeAnswer.describe("Made; the history names both"),
        ...refusalAnswers([
          "malformed_body",
          "not_found",
          "version_conflict",
          "held",
          "rolled_back",
          "closed",
          "not_complete",
          "under_way",
          "cohort_on_legacy",
          "without_effect",
          "out_of_order",
          "in_window",
          "frozen",
          "approval_required",
          "body_too_large",
          "unsupported_media_type",
          "invalid",
          "store_unavailable",
        ]),
      },
    },
    handler: async (request) => {
      const { name, id } = request.params;
      views.assertKnown(name);
      await follower.refresh();
      const found = await assertWaiting(proposals, views, name, id);
      const { action, cohort, force, override, percent, version, by, reason } = found;
      const actor = actorOf(request);
      if (by === actor.name) throw new Refused("forbidden", "another person has to approve it");
      // Nothing without the proposal, however small: it may be withdrawn in this very moment.
      const fourEyes = { overThousandths: 0, proposalId: id };
      const body = { reason, ifVersion: version, override, waitMs: request.body.waitMs };
      const percentThousandths = percentFromNumber(percent) ?? 0;
      if (action === "plan") {
        const { fingerprint } = await starting.startable(request, name);
        // Used up first: should this process end in between, it is not started, and can be proposed again.
        const isMeant = fingerprint === found.plan && (await context.store.withdraw(name, id));
        if (!isMeant) throw new Refused("version_conflict", "another plan was proposed, or it was withdrawn");
        tell(audit, "approved", request, found);
        return await starting.start(request, name, body, `${by}, approved by ${actor.name}`);
      }
      if (action === "schedule") {
        await scheduling.judged(request, name, scheduleOf(found));
        if (!(await context.store.withdraw(name, id))) throw new Refused("not_found", "it was withdrawn");
        tell(audit, "approved", request, found);
        await scheduling.add(request, name, scheduleOf(found), `${by}, approved by ${actor.name}`);
        return await starting.answer(request, name, body, true);
      }
      const answer =
        action === "close"
          ? await close(request, name, { ...body, force }, fourEyes)
          : await write(request, name, { action, percentThousandths, cohort }, body, fourEyes);
      const said = { cutover: name, proposal: id, by, approvedBy: actor.name };
      log.info(said, `a proposed ${wordOf(action)} was approved`);
      tell(audit, "approved", request, found);
      return answer;
    },
  });
}

function withdrawRoute(
  app: AdminApp,
  { store, follower, log, audit }: AdminContext,
  views: Views,
  proposals: Proposals,
): void {
  app.route({
    method: "DELETE",
    url: "/api/v1/cutovers/:name/proposals/:id",
    schema: {
      operationId: "withdraw",
      summary: "Take a proposal back, one's own or another's",
      tags,
      params: proposalPath,
      response: {
        204: z.null().describe("Withdrawn"),
        ...refusalAnswers(["not_found", "store_unavailable"]),
      },
    },
    handler: async (request, reply) => {
      const { name, id } = request.params;
      views.assertKnown(name);
      const { name: by, role } = actorOf(request);
      if (!isAtLeast(role, rules.withdrawRole)) throw refusedByRules("forbidden", views.state(name));
      await follower.refresh();
      const found = await assertWaiting(proposals, views, name, id);
      if (!(await store.withdraw(name, id))) throw new Refused("not_found", "no such proposal is open");
      log.info({ cutover: name, proposal: id, by }, `a proposed ${wordOf(found.action)} was withdrawn`);
      tell(audit, "withdrawn", request, found);
      return reply.code(204).send(null);
    },
  });
}

/** @throws Refused `not_found` */
async function assertWaiting(
  proposals: Proposals,
  views: Views,
  name: string,
  id: string,
): Promise<ProposalView> {
  const found = await proposals.waiting(name, views.state(name).version);
  if (found?.id === id) return found;
  throw new Refused("not_found", "no such proposal is open: used, withdrawn or expired");
}

function tell(
  audit: Audit,
  event: "approved" | "withdrawn",
  request: FastifyRequest,
  found: ProposalView,
): void {
  const { name, percent } = found;
  const proposal = { ...found, percentThousandths: percentFromNumber(percent) ?? 0 };
  audit.proposal({ event, name, proposal, actor: actorOf(request), origin: requestOrigin(request) });
}
