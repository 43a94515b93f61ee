/** Requests in doubt: who payments teams reconcile first after an incident. A person settles one who knows what it did. */
import * as z from "zod";
import type { InDoubt } from "../../../ownership/past/port.ts";
import { isAtLeast } from "../../../state/rules/model.ts";
import { cutoverName } from "../../api/cutover-view.ts";
import {
  type DoubtView,
  doubtQuery,
  doubtView,
  exportedAs,
  exportQuery,
  settleAnswer,
  settleBody,
} from "../../api/past/doubt-view.ts";
import type { AdminApp, AdminContext } from "../../context.ts";
import { changeRefusals, refusalAnswers } from "../../openapi.ts";
import { refusedByRules } from "../../problem.ts";
import type { Views } from "../../view.ts";
import { actorOf, requestOrigin } from "../../writer.ts";
import { remark } from "./remark.ts";

const url = "/api/v1/cutovers/:name/doubt";
const tags = ["cutovers"];

export function doubtRoutes(app: AdminApp, context: AdminContext, views: Views): void {
  const { past } = context;
  const read = async (name: string, { side, limit }: z.output<typeof doubtQuery>) => {
    views.assertKnown(name);
    const all = await past.inDoubt(name, limit);
    return all.filter((one) => side === undefined || one.side === side).map(viewOf);
  };

  app.route({
    method: "GET",
    url,
    schema: {
      operationId: "listDoubt",
      summary: "Requests with a key that were sent to a side and never answered",
      tags,
      params: cutoverName,
      querystring: doubtQuery,
      response: {
        200: z.array(doubtView).describe("Those in doubt; of each side the oldest first"),
        ...refusalAnswers(["not_found", "invalid", "store_unavailable"]),
      },
    },
    handler: ({ params: { name }, query }) => read(name, query),
  });

  app.route({
    method: "GET",
    url: `${url}/export`,
    schema: {
      operationId: "exportDoubt",
      summary: "The same, a line each",
      tags,
      params: cutoverName,
      querystring: exportQuery,
      response: {
        200: {
          description: "The lines",
          content: {
            "application/x-ndjson": { schema: z.string() },
            "text/csv": { schema: z.string() },
          },
        },
        ...refusalAnswers(["not_found", "invalid", "store_unavailable"]),
      },
    },
    handler: async ({ params: { name }, query: { format, ...query } }, reply) => {
      const lines = exportedAs(format, await read(name, query));
      return reply.type(format === "csv" ? "text/csv; charset=utf-8" : "application/x-ndjson").send(lines);
    },
  });

  settleRoute(app, context, views);
}

function settleRoute(app: AdminApp, context: AdminContext, views: Views): void {
  const { past, audit, log, clock } = context;
  app.route({
    method: "POST",
    url: `${url}/settle`,
    schema: {
      operationId: "settleDoubt",
      summary: "A person has found out what the requests did that have a key: they are in doubt no more",
      tags,
      params: cutoverName,
      body: settleBody,
      response: {
        200: settleAnswer.describe("Settled; `changed` is false when none of the key was in doubt"),
        ...refusalAnswers(changeRefusals),
      },
    },
    handler: async (request) => {
      const { name } = request.params;
      const { digest, reason } = request.body;
      views.assertKnown(name);
      const actor = actorOf(request);
      if (!isAtLeast(actor.role, "operator")) throw refusedByRules("forbidden", views.state(name));
      const settled = await past.settle(name, digest, clock.now());
      if (settled > 0) {
        log.info({ cutover: name, by: actor.name, digest, settled }, "requests in doubt were settled");
        audit.doubt({ name, digest, settled, actor, origin: requestOrigin(request), reason });
        await remark(context, views, request, name, `settled what was in doubt of key ${digest}: ${reason}`);
      }
      return { name, settled, changed: settled > 0 };
    },
  });
}

function viewOf({ sentAtMs, lastSentAtMs, sinceMs, others, ...rest }: InDoubt): DoubtView {
  const text = (ms: number) => new Date(ms).toISOString();
  const times = { sentAt: text(sentAtMs), lastSentAt: text(lastSentAtMs), since: text(sinceMs) };
  return { ...rest, ...times, others: [...others] };
}
