/** Reading cutovers, a decision, and the instances. */
import * as z from "zod";
import type { InstanceRecord } from "../../state/rules/completion.ts";
import { trafficForm } from "../../telemetry/traffic/traffic.ts";
import { cutoverName, cutoverView } from "../api/cutover-view.ts";
import { explainQuery, explanation } from "../api/explanation.ts";
import { guardView } from "../api/guard/guard-view.ts";
import { type InstanceView, instanceView } from "../api/instance-view.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { flagdExport, flagOf } from "../flagd/flagd.ts";
import type { Fleet } from "../fleet.ts";
import { refusalAnswers } from "../openapi.ts";
import { Refused } from "../problem.ts";
import type { Views } from "../view.ts";

export function readRoutes(app: AdminApp, { explain }: AdminContext, views: Views, fleet: Fleet): void {
  app.route({
    method: "GET",
    url: "/api/v1/cutovers",
    schema: {
      operationId: "listCutovers",
      summary: "Every configured cutover, in the order of the configuration",
      tags: ["cutovers"],
      response: { 200: z.array(cutoverView).describe("The cutovers"), ...refusalAnswers([]) },
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
      response: { 200: cutoverView.describe("The cutover"), ...refusalAnswers(["not_found"]) },
    },
    handler: async (request) => {
      views.assertKnown(request.params.name);
      return views.one(request.params.name, await fleet.read());
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
      response: { 200: explanation.describe("The decision"), ...refusalAnswers(["not_found", "invalid"]) },
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
    url: "/api/v1/cutovers/:name/guard",
    schema: {
      operationId: "getGuard",
      summary: "What the guard makes of the cutover, by everybody's counts",
      tags: ["cutovers"],
      params: cutoverName,
      response: { 200: guardView.describe("The verdict"), ...refusalAnswers(["not_found"]) },
    },
    handler: async (request) => {
      views.assertKnown(request.params.name);
      return views.guard(request.params.name, await fleet.read());
    },
  });

  app.route({
    method: "GET",
    url: "/api/v1/export/flagd.json",
    schema: {
      operationId: "exportFlagd",
      summary: "Each cutover as a flag of flagd, for apps and jobs that ask OpenFeature",
      tags: ["cutovers"],
      response: { 200: flagdExport.describe("The flags"), ...refusalAnswers([]) },
    },
    handler: async () => ({
      $schema: "https://flagd.dev/schema/v0/flags.json",
      flags: Object.fromEntries(views.names().map((name) => [name, flagOf(...views.flagged(name))])),
    }),
  });

  app.route({
    method: "GET",
    url: "/api/v1/instances",
    schema: {
      operationId: "listInstances",
      summary: "The live instances; this one alone while the store is out of reach",
      tags: ["fleet"],
      response: { 200: z.array(instanceView).describe("The instances, by id"), ...refusalAnswers([]) },
    },
    handler: async () => {
      const records = await fleet.records();
      return records.map(instanceOf);
    },
  });
}

/** A release of before, or after, may say it otherwise. */
function sidesOf({ traffic }: InstanceRecord): Pick<InstanceView, "inFlight" | "begun"> {
  const forms = Object.entries(traffic).flatMap(([name, form]) => {
    const { data } = trafficForm.safeParse(form);
    return data === undefined ? [] : [{ name, legacy: data.legacy, onNew: data.new }];
  });
  const inFlight = forms.map(({ name, legacy, onNew }) => {
    return [name, { legacy: legacy.flight.inFlight, new: onNew.flight.inFlight }] as const;
  });
  const begun = forms.flatMap(({ name, legacy, onNew }) => {
    if (legacy.begun === undefined || onNew.begun === undefined) return [];
    return [[name, { legacy: legacy.begun.all, new: onNew.begun.all }] as const];
  });
  const told = begun.length === 0 ? {} : { begun: Object.fromEntries(begun) };
  return { inFlight: Object.fromEntries(inFlight), ...told };
}

export function instanceOf(record: InstanceRecord): InstanceView {
  const { id, name = id, address = null, pid = null, startedAt, seenAt, versions, config, tookMs } = record;
  return {
    id,
    name,
    address,
    pid,
    startedAt,
    seenAt,
    versions: { ...versions },
    ...sidesOf(record),
    ...(tookMs === undefined ? {} : { tookMs: { ...tookMs } }),
    config: config === undefined ? null : { ...config, refusedAt: config.refusedAt ?? null },
  };
}
