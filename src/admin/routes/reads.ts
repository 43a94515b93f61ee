/** Reading cutovers, their history, a decision, and the instances. */

import { z } from "zod";
import { systemTimers, within } from "../../state/clock.ts";
import type { LocalChange } from "../../state/local.ts";
import { percentToNumber } from "../../state/percent.ts";
import type { HistoryEntry } from "../../state/store.ts";
import type { AdminApp, AdminOptions } from "../context.ts";
import { explainQuery, explanation } from "../explanation.ts";
import type { Fleet } from "../fleet.ts";
import { refusals } from "../openapi.ts";
import { Refused } from "../problem.ts";
import {
  cutoverName,
  cutoverView,
  type HistoryEntryView,
  historyEntry,
  historyQuery,
  instanceView,
} from "../schemas.ts";
import type { Views } from "../view.ts";

/** An answer of 503 must come within 3 s. */
const patienceMs = 2500;

type Needs = Pick<AdminOptions, "store" | "local" | "explain">;

export function readRoutes(
  app: AdminApp,
  { store, local, explain }: Needs,
  views: Views,
  fleet: Fleet,
): void {
  app.route({
    method: "GET",
    url: "/api/v1/cutovers",
    schema: {
      operationId: "listCutovers",
      summary: "Every configured cutover, in the order of the configuration",
      tags: ["cutovers"],
      response: { 200: z.array(cutoverView).describe("The cutovers"), ...refusals([]) },
    },
    handler: async () => views.all(await fleet.read()),
  });

  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name",
    schema: {
      operationId: "getCutover",
      summary: "One cutover",
      tags: ["cutovers"],
      params: cutoverName,
      response: { 200: cutoverView.describe("The cutover"), ...refusals(["not_found"]) },
    },
    handler: async (request) => {
      views.assertKnown(request.params.name);
      return views.one(request.params.name, await fleet.read());
    },
  });

  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/history",
    schema: {
      operationId: "getHistory",
      summary: "What changed, newest first",
      tags: ["cutovers"],
      params: cutoverName,
      querystring: historyQuery,
      response: {
        200: z.array(historyEntry).describe("The entries"),
        ...refusals(["not_found", "invalid", "store_unavailable"]),
      },
    },
    handler: async (request) => {
      views.assertKnown(request.params.name);
      const asked = store.history(request.params.name, request.query.limit);
      const entries = await within(patienceMs, systemTimers, asked);
      const pending = local.pendingLocally(request.params.name).map(pendingView).reverse();
      return [...pending, ...entries.map(entryView)].slice(0, request.query.limit);
    },
  });

  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/explain",
    schema: {
      operationId: "explain",
      summary: "Which side would serve a shopper's new request or one with a key, and why",
      tags: ["cutovers"],
      params: cutoverName,
      querystring: explainQuery,
      response: { 200: explanation.describe("The decision"), ...refusals(["not_found", "invalid"]) },
    },
    handler: async (request) => {
      views.assertKnown(request.params.name);
      const found = await explain(request.params.name, request.query);
      if (found === undefined) throw new Refused("not_found", "no route of the cutover matches");
      return found;
    },
  });

  app.route({
    method: "GET",
    url: "/api/v1/instances",
    schema: {
      operationId: "listInstances",
      summary: "The live instances; this one alone while the store is out of reach",
      tags: ["fleet"],
      response: { 200: z.array(instanceView).describe("The instances, by id"), ...refusals([]) },
    },
    handler: async () => {
      const records = await fleet.read();
      return records.map(({ id, startedAt, seenAt, versions }) => ({
        id,
        startedAt,
        seenAt,
        versions: { ...versions },
      }));
    },
  });
}

/** A change of this instance alone that the store has not accepted yet; its version is the one it was made on. */
function pendingView({ from, at, by, ceiling, reason }: LocalChange): HistoryEntryView {
  const { version } = from;
  return { version, at, by, action: "local", from: standing(from), to: standing(ceiling), reason };
}

function entryView(entry: HistoryEntry): HistoryEntryView {
  const { version, at, by, action, from, to, reason } = entry;
  return { version, at, by, action, from: standing(from), to: standing(to), reason };
}

function standing(of: HistoryEntry["from"]): HistoryEntryView["from"] {
  return { percent: percentToNumber(of.percentThousandths), state: of.state };
}
