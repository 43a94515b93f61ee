/**
 * Changing cutovers. Every call goes to `store.apply`, where the one rule book judges it, and is answered when
 * every live instance decides by the outcome or `waitMs` have passed.
 *
 * A rollback or a hold does not fail for want of the store: this instance does as it was told by itself, at once when
 * the store is known to be out of reach, and says so (`applied.scope: "local"`).
 */
import type { FastifyRequest } from "fastify";
import type { z } from "zod";
import { waitApplied } from "../../state/applied.ts";
import { reachOf } from "../../state/completion.ts";
import { type LocalAction, localActions } from "../../state/local.ts";
import type { Actor, Change } from "../../state/model.ts";
import { percentFromNumber } from "../../state/percent.ts";
import { type Applied, type Command, StoreUnavailable } from "../../state/store.ts";
import { appliedLocally, appliedView, writeView } from "../applied-view.ts";
import type { AdminApp, AdminOptions } from "../context.ts";
import type { Fleet } from "../fleet.ts";
import { refusals } from "../openapi.ts";
import { Refused, refusedByRules } from "../problem.ts";
import {
  closeBody,
  cutoverName,
  holdBody,
  type ProblemCode,
  resumeBody,
  rollbackBody,
  setPercentBody,
} from "../schemas.ts";
import type { Views } from "../view.ts";
import { type WriteAnswer, writeAnswer } from "../write-answer.ts";

type Needs = Pick<AdminOptions, "store" | "follower" | "local" | "clock" | "log">;

/** What every write's body has. */
interface WriteBody {
  readonly reason?: string | undefined;
  readonly ifVersion?: number | undefined;
  readonly waitMs: number;
}

const anyWrite = [
  "malformed_body",
  "not_found",
  "version_conflict",
  "body_too_large",
  "unsupported_media_type",
  "invalid",
  "store_unavailable",
] as const satisfies readonly ProblemCode[];

export function writeRoutes(app: AdminApp, needs: Needs, views: Views, fleet: Fleet): void {
  const { store, follower, local, clock, log } = needs;

  async function write(
    request: FastifyRequest,
    name: string,
    change: Change,
    body: WriteBody,
  ): Promise<WriteAnswer> {
    const actor = actorOf(request);
    const asked = {
      name,
      actor,
      reason: body.reason ?? "",
      ...(body.ifVersion === undefined ? {} : { ifVersion: body.ifVersion }),
    };
    const action = localActions.find((each) => each === change.action);
    const before = views.state(name).percentThousandths;
    const { applied, scope } = await apply({ ...asked, change }, action);
    const { state } = applied;
    const said = { cutover: name, action: change.action, by: actor.name, version: state.version, scope };
    if (!applied.accepted) {
      log.info({ ...said, code: applied.code }, "a change was refused");
      throw refusedByRules(applied.code, state);
    }
    log.info({ ...said, changed: applied.changed }, "a change was accepted");
    const ms = () => Math.round((clock.monotonic() - request.arrivedMs) * 10) / 10;
    if (scope === "local") {
      await local.keptLocally();
      return writeView(name, applied, appliedLocally(name, fleet.lastOthers(), ms()));
    }
    const completion = await waitApplied({
      store,
      name,
      version: state.version,
      reach: reachOf(change, before),
      waitMs: body.waitMs,
      clock,
      nudge: () => follower.refresh(),
    });
    const told = appliedView(completion, ms());
    return writeView(
      name,
      applied,
      completion.of > 0 ? told : { ...told, ...knownWithoutStore(name, state.version) },
    );
  }

  async function apply(
    command: Omit<Command, "lastGood">,
    action: LocalAction | undefined,
  ): Promise<{ applied: Applied; scope: "fleet" | "local" }> {
    const locally = (as: LocalAction) =>
      ({ applied: local.makeLocally({ ...command, action: as }), scope: "local" }) as const;
    if (action !== undefined && !follower.contact().up) return locally(action);
    // What is lowered on this instance alone is no state of the store's to go on from.
    const { states, local: lowered } = follower.current();
    const lastGood = lowered?.has(command.name) === true ? undefined : states.get(command.name);
    try {
      const applied = await store.apply({ ...command, ...(lastGood === undefined ? {} : { lastGood }) });
      return { applied, scope: "fleet" };
    } catch (error) {
      if (action === undefined || !(error instanceof StoreUnavailable)) throw error;
      return locally(action);
    }
  }

  /** The change stands but the store fell silent: of as many as were live last, only this instance can be told. */
  function knownWithoutStore(name: string, version: number): { instances: number; of: number } {
    return { instances: views.state(name).version >= version ? 1 : 0, of: fleet.lastOthers().length + 1 };
  }

  const options = <Body extends z.ZodType>(
    body: Body,
    operationId: string,
    summary: string,
    refused: readonly ProblemCode[],
  ) => ({
    preValidation: async (request: FastifyRequest) => {
      const params = cutoverName.safeParse(request.params);
      views.assertKnown(params.success ? params.data.name : "");
      // Rolling back needs no body: none is the same as an empty one.
      if (request.body === undefined) request.body = {};
    },
    schema: {
      operationId,
      summary,
      tags: ["cutovers"],
      params: cutoverName,
      body,
      response: {
        200: writeAnswer.describe("Accepted; `changed` is false when it stood so already"),
        ...refusals([...anyWrite, ...refused]),
      },
    },
  });

  app.route({
    method: "PUT",
    url: "/api/v1/cutovers/:name/percent",
    ...options(setPercentBody, "setPercent", "Raise or lower the percent", ["held", "rolled_back", "closed"]),
    handler: async (request) => {
      const { body, params } = request;
      const percentThousandths = percentFromNumber(body.percent);
      if (percentThousandths === undefined) throw new Refused("invalid", "percent: expected 0 to 100");
      return write(request, params.name, { action: "set", percentThousandths }, body);
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/rollback",
    ...options(rollbackBody, "rollBack", "Percent 0, latched until it is resumed", ["closed"]),
    handler: async (request) => {
      const { body, params } = request;
      return write(request, params.name, { action: body.hard ? "rollback_hard" : "rollback" }, body);
    },
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/hold",
    ...options(holdBody, "hold", "Freeze: no raise until it is resumed", ["rolled_back", "closed"]),
    handler: async (request) => write(request, request.params.name, { action: "hold" }, request.body),
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/resume",
    ...options(resumeBody, "resume", "End a hold or a rollback", ["closed"]),
    handler: async (request) => write(request, request.params.name, { action: "resume" }, request.body),
  });

  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/close",
    ...options(closeBody, "close", "Close legacy for good: the point of no return", [
      "held",
      "rolled_back",
      "not_complete",
    ]),
    handler: async (request) => write(request, request.params.name, { action: "close" }, request.body),
  });
}

function actorOf(request: FastifyRequest): Actor {
  if (request.actor === null) throw new Error("a change was asked for by nobody");
  return request.actor;
}
