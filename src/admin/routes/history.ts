/** What changed, and reasons that are given later. */
import * as z from "zod";
import { systemTimers, within } from "../../base/clock.ts";
import type { LocalChange } from "../../state/rules/ceiling.ts";
import type { Annotation, HistoryEntry } from "../../state/rules/history.ts";
import { isAtLeast } from "../../state/rules/model.ts";
import { percentToNumber } from "../../state/rules/percent.ts";
import { maintenancePart } from "../../state/rules/sides/maintenance.ts";
import { cutoverName } from "../api/cutover-view.ts";
import {
  type AnnotationView,
  annotateBody,
  annotationView,
  type HistoryEntryView,
  historyEntry,
  historyQuery,
  historyVersion,
} from "../api/history-view.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { changeRefusals, refusalAnswers } from "../openapi.ts";
import { Refused } from "../problem.ts";
import type { Views } from "../view.ts";
import { actorOf, requestOrigin } from "../writer.ts";

/** An answer of 503 must come within 3 s. */
const patienceMs = 2500;
const tags = ["cutovers"];

export function historyRoutes(app: AdminApp, context: AdminContext, views: Views): void {
  const { store, log, audit } = context;
  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/history",
    schema: {
      operationId: "getHistory",
      summary: "What changed, newest first",
      tags,
      params: cutoverName,
      querystring: historyQuery,
      response: {
        200: z.array(historyEntry).describe("The entries"),
        ...refusalAnswers(["not_found", "invalid", "store_unavailable"]),
      },
    },
    handler: async ({ params: { name }, query: { limit, since } }) => {
      views.assertKnown(name);
      const sinceMs = since === undefined ? undefined : Date.parse(since);
      return within(patienceMs, systemTimers, readHistory(context, name, limit, sinceMs));
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/history/:version/annotate",
    schema: {
      operationId: "annotate",
      summary: "Give a reason for a change later; the change's own entry stays as it was written",
      tags,
      params: historyVersion,
      body: annotateBody,
      response: {
        200: annotationView.describe("What was added"),
        ...refusalAnswers(changeRefusals),
      },
    },
    handler: async (request) => {
      const { name, version } = request.params;
      views.assertKnown(name);
      const { name: by, role } = actorOf(request);
      if (!isAtLeast(role, "responder")) throw new Refused("forbidden", "the role may only read");
      const { reason } = request.body;
      const asked = { name, version, by, reason, ...requestOrigin(request) };
      const annotation = await within(patienceMs, systemTimers, store.annotate(asked));
      if (annotation === undefined) throw new Refused("not_found", "the history has no such version");
      log.info({ cutover: name, version, by, via: asked.via }, "a reason was given for an earlier change");
      audit.annotated(name, version, annotation);
      return annotationViewOf(annotation);
    },
  });
}

/** A change of this instance alone that the store has not accepted yet; its version is the one it was made on. */
/** Newest first: what waits for the store on this instance, and what the store has. @throws StoreUnavailable */
export async function readHistory(
  { store, follower }: Pick<AdminContext, "store" | "follower">,
  name: string,
  limit: number,
  sinceMs?: number,
): Promise<HistoryEntryView[]> {
  const entries = await store.history(name, limit, sinceMs);
  const pending = follower
    .pendingLocally(name)
    .filter(({ at }) => sinceMs === undefined || Date.parse(at) >= sinceMs)
    .map(pendingView)
    .reverse();
  return [...pending, ...entries.map(entryView)].slice(0, limit);
}

function pendingView({ from, at, by, ceiling, reason, requestId }: LocalChange): HistoryEntryView {
  const moved = { from: standing(from), to: standing(ceiling) };
  const how = { via: "local", requestId: requestId ?? null } as const;
  return { version: from.version, at, by, action: "local", ...moved, reason, ...how, annotations: [] };
}

function entryView(entry: HistoryEntry): HistoryEntryView {
  const { version, at, by, action, from, to, reason, annotations = [], via, requestId } = entry;
  return {
    version,
    at,
    by,
    action: action === "set" && via === "plan" ? "plan_step" : action,
    from: standing(from),
    to: { ...standing(to), ...maintenancePart(to.maintenance) },
    reason,
    via: via ?? null,
    requestId: requestId ?? null,
    annotations: annotations.map(annotationViewOf),
  };
}

function annotationViewOf({ at, by, reason, via, requestId }: Annotation): AnnotationView {
  return { at, by, reason, via: via ?? null, requestId: requestId ?? null };
}

function standing(of: HistoryEntry["from"]): HistoryEntryView["from"] {
  const cohorts = Object.entries(of.cohorts ?? {}).map(([name, each]) => [name, percentToNumber(each)]);
  return {
    percent: percentToNumber(of.percentThousandths),
    ...(cohorts.length === 0 ? {} : { cohorts: Object.fromEntries(cohorts) }),
    state: of.state,
  };
}
