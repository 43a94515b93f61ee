/**
 * Who owns a key, and putting that right: never while a request with the key is in flight or in doubt, unless it is forced,
 * and by two persons where raises need two. What was changed is in the history, as a remark on the version in force.
 */
import type { FastifyRequest } from "fastify";
import { StoreUnavailable } from "../../base/errors.ts";
import { isAtLeast, type Side } from "../../state/rules/model.ts";
import {
  type OwnerAnswer,
  type OwnerView,
  ownerAnswer,
  ownerPath,
  ownerView,
  putOwnerBody,
  releaseOwnerBody,
  waitingOwner,
} from "../api/owner-view.ts";
import type { ProblemCode } from "../api/problem-details.ts";
import type { AdminApp, AdminContext, OwnerDesk } from "../context.ts";
import { changeRefusals, refusalAnswers } from "../openapi.ts";
import { Refused, refusedByRules } from "../problem.ts";
import type { Proposals } from "../proposals.ts";
import type { Views } from "../view.ts";
import { actorOf, requestOrigin } from "../writer.ts";
import { remark } from "./past/remark.ts";

const url = "/api/v1/cutovers/:name/owners/:key";
const tags = ["cutovers"];
const anyChange = [...changeRefusals, "under_way"] as const satisfies readonly ProblemCode[];
const changed = {
  200: ownerAnswer.describe("Put right; `changed` is false when it stood so already"),
  202: waitingOwner.describe("Made once another person asks for the same"),
  ...refusalAnswers(anyChange),
};

export function ownerRoutes(app: AdminApp, context: AdminContext, views: Views, proposals: Proposals): void {
  const change = createChange(context, views, proposals);
  app.route({
    method: "GET",
    url,
    schema: {
      operationId: "getOwner",
      summary: "Who owns a key, by the store and by each instance",
      tags,
      params: ownerPath,
      response: {
        200: ownerView.describe("The owner"),
        ...refusalAnswers(["not_found", "invalid"]),
      },
    },
    handler: async ({ params: { name, key } }) => {
      views.assertKnown(name);
      return look(context.owners, name, key);
    },
  });

  app.route({
    method: "PUT",
    url,
    schema: {
      operationId: "setOwner",
      summary: "Give a key to a side, on every instance at once",
      tags,
      params: ownerPath,
      body: putOwnerBody,
      response: changed,
    },
    handler: async (request, reply) => {
      const { params, body } = request;
      const answer = await change(request, { ...params, ...body });
      return reply.code("changed" in answer ? 200 : 202).send(answer);
    },
  });

  app.route({
    method: "DELETE",
    url,
    schema: {
      operationId: "releaseOwner",
      summary: "Take a key from whoever owns it: the next request with it goes by journey and bucket",
      tags,
      params: ownerPath,
      body: releaseOwnerBody,
      response: changed,
    },
    handler: async (request, reply) => {
      const { params, body } = request;
      const answer = await change(request, { ...params, ...body, side: null });
      return reply.code("changed" in answer ? 200 : 202).send(answer);
    },
  });
}

/** @throws Refused `not_found` */
async function look(owners: OwnerDesk, name: string, key: string): Promise<OwnerView> {
  const found = await owners.look(name, key);
  if (found === undefined) throw new Refused("not_found", "the cutover has no owners");
  return found;
}

interface Asked {
  readonly name: string;
  readonly key: string;
  readonly side: Side | null;
  readonly reason: string;
  readonly force: boolean;
}

function createChange(context: AdminContext, views: Views, proposals: Proposals) {
  const { owners, log, audit } = context;

  return async (
    request: FastifyRequest,
    asked: Asked,
  ): Promise<OwnerAnswer | NonNullable<OwnerView["waiting"]>> => {
    const { name, key, side, reason, force } = asked;
    views.assertKnown(name);
    const actor = actorOf(request);
    const origin = requestOrigin(request);
    if (!isAtLeast(actor.role, "operator")) throw refusedByRules("forbidden", views.state(name));
    const before = await look(owners, name, key);
    assertFree(before, force);
    if (standsSo(before, side)) return { ...before, changed: false, applied: appliedOf(before) };

    const said = { name, key, side, before: before.side, actor, origin, reason, force };
    const patienceMs = proposals.ttlOf(name);
    const isSecond = before.waiting?.side === side && before.waiting.by !== actor.name;
    if (patienceMs !== undefined && !isSecond) {
      const waiting = await owners.wait(name, key, { side, reason, by: actor.name }, patienceMs);
      log.info({ cutover: name, by: actor.name, side }, "a change of an owner was proposed");
      audit.owner({ ...said, event: "proposed", proposedBy: undefined });
      return waiting;
    }
    const after = await owners.put(name, key, side);
    const proposedBy = isSecond ? before.waiting?.by : undefined;
    log.info({ cutover: name, by: actor.name, side, force }, "the owner of a key was put right");
    audit.owner({ ...said, event: side === null ? "released" : "set", proposedBy });
    await remark(context, views, request, name, remarkOf(said, proposedBy));
    return { ...after, changed: true, applied: appliedOf(after) };
  };
}

/** @throws Refused, StoreUnavailable */
function assertFree({ by, store, instances }: OwnerView, force: boolean): void {
  if (by === "pattern") throw new Refused("invalid", "the form of the key tells its side: it has no record");
  if (store === null) throw new StoreUnavailable("owners are out of reach");
  if (force) return;
  const inFlight = instances.reduce((sum, instance) => sum + instance.inFlight, 0);
  if (inFlight > 0 || store.claim?.tentative === true)
    throw new Refused("under_way", "a request with the key is in flight: wait for its answer, or force it");
  const silent = instances.filter(({ answered }) => !answered).map(({ id }) => id);
  if (silent.length > 0)
    throw new Refused("under_way", `instance ${silent.join(", ")} does not say whether the key is in use`);
  if (instances.some(({ inDoubt }) => inDoubt))
    throw new Refused("under_way", "a request with the key was not answered: see what it did, then force it");
}

/** Nobody goes by anything else, either. */
function standsSo({ store, agree }: OwnerView, side: Side | null): boolean {
  const records = [store?.fact, store?.claim].filter((record) => record !== null && record !== undefined);
  if (!agree) return false;
  return side === null
    ? records.length === 0
    : records.length > 0 && records.every((one) => one.side === side);
}

function appliedOf({ instances }: OwnerView): OwnerAnswer["applied"] {
  return { instances: instances.filter(({ answered }) => answered).length, of: instances.length };
}

/** What the history says of it. */
function remarkOf(
  { key, side, before, reason }: Asked & { readonly before: Side | null },
  proposedBy: string | undefined,
): string {
  const what = side === null ? "released" : `set to ${side}`;
  const second = proposedBy === undefined ? "" : `, proposed by ${proposedBy}`;
  return `owner of ${JSON.stringify(key)} ${what} (was ${before ?? "nobody"}${second}): ${reason}`;
}
