/** Lists: who is counted on each, and changing that. A change of many waits for a second person where that is configured. */
import * as z from "zod";
import type { ListLook } from "../../lists/port.ts";
import { isAtLeast } from "../../state/rules/model.ts";
import { historyQuery } from "../api/history-view.ts";
import {
  changeListBody,
  type ListView,
  listAnswer,
  listHistoryEntry,
  listName,
  listView,
  memberAnswer,
  memberQuery,
  waitingList,
} from "../api/lists/list-view.ts";
import { nearest } from "../api/nearest.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { changeRefusals, refusalAnswers } from "../openapi.ts";
import { Refused } from "../problem.ts";
import { actorOf, requestOrigin } from "../writer.ts";

const tags = ["lists"];
const url = "/api/v1/lists/:name";
/** Of a body with as many members as one may have. */
const maxBodyBytes = 2 * 1024 ** 2;

export function listRoutes(app: AdminApp, context: AdminContext): void {
  const { lists } = context;

  function known(name: string): void {
    const names = lists.names();
    if (names.includes(name)) return;
    const meant = nearest(name, names);
    const hint = meant === undefined ? "add it to the configuration" : `did you mean ${meant}?`;
    throw new Refused("not_found", `no such list: ${hint}`);
  }

  app.route({
    method: "GET",
    url: "/api/v1/lists",
    schema: {
      operationId: "listLists",
      summary: "Every configured list",
      tags,
      response: {
        200: z.array(listView).describe("The lists"),
        ...refusalAnswers(["store_unavailable"]),
      },
    },
    handler: async () => Promise.all(lists.names().map(async (name) => viewOf(await lists.look(name)))),
  });

  app.route({
    method: "GET",
    url,
    schema: {
      operationId: "getList",
      summary: "One list: how many are on it, and who changed it last",
      tags,
      params: listName,
      response: {
        200: listView.describe("The list"),
        ...refusalAnswers(["not_found", "store_unavailable"]),
      },
    },
    handler: async ({ params: { name } }) => {
      known(name);
      return viewOf(await lists.look(name));
    },
  });

  app.route({
    method: "GET",
    url: `${url}/has`,
    schema: {
      operationId: "isOnList",
      summary: "Whether somebody is on the list, by the store",
      tags,
      params: listName,
      querystring: memberQuery,
      response: {
        200: memberAnswer.describe("Whether"),
        ...refusalAnswers(["not_found", "invalid", "store_unavailable"]),
      },
    },
    handler: async ({ params: { name }, query: { member } }) => {
      known(name);
      const has = await lists.has(name, member);
      if (has === undefined) throw new Refused("invalid", "member: this list takes digests alone");
      return { has };
    },
  });

  app.route({
    method: "GET",
    url: `${url}/history`,
    schema: {
      operationId: "listHistory",
      summary: "The list's changes, newest first",
      tags,
      params: listName,
      querystring: historyQuery.pick({ limit: true }),
      response: {
        200: z.array(listHistoryEntry).describe("The changes"),
        ...refusalAnswers(["not_found", "invalid", "store_unavailable"]),
      },
    },
    handler: async ({ params: { name }, query: { limit } }) => {
      known(name);
      return [...(await lists.history(name, limit))];
    },
  });

  changeRoute(app, context, known);
}

function changeRoute(app: AdminApp, context: AdminContext, known: (name: string) => void): void {
  const { lists, audit, log } = context;
  app.route({
    method: "PUT",
    url,
    bodyLimit: maxBodyBytes,
    schema: {
      operationId: "changeList",
      summary: "Add members and remove others",
      tags,
      params: listName,
      body: changeListBody,
      response: {
        200: listAnswer.describe(
          "Changed, and in force on the instance that answers; the others follow within a second",
        ),
        202: waitingList.describe("Made once another person asks for the same"),
        ...refusalAnswers(changeRefusals),
      },
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      known(name);
      const actor = actorOf(request);
      if (!isAtLeast(actor.role, "operator")) throw new Refused("forbidden", "the role may not change lists");
      const { reason, ...body } = request.body;
      const outcome = await lists.change(name, { ...body, reason, by: actor.name });
      if (outcome.kind === "invalid") throw new Refused("invalid", outcome.why);
      const [added, removed] = [body.add.length, body.remove.length];
      const told = { list: name, added, removed, actor, origin: requestOrigin(request), reason };
      if (outcome.kind === "waits") {
        log.info({ list: name, by: actor.name, added, removed }, "a change of a list was proposed");
        audit.list({ ...told, event: "proposed", proposedBy: undefined });
        return reply.code(202).send(outcome.waiting);
      }
      const { look, changed, proposedBy } = outcome;
      if (changed) {
        log.info({ list: name, by: actor.name, added, removed }, "a list was changed");
        audit.list({ ...told, event: "changed", proposedBy });
      }
      return reply.send({ ...viewOf(look), changed });
    },
  });
}

function viewOf({ name, takes, members, version, updatedAt, updatedBy, reason, loaded }: ListLook): ListView {
  return { name, takes, members, version, updatedAt, updatedBy, reason, loaded };
}
