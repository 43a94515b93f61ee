/**
 * Changing cutovers. Every call goes to `store.apply`, where the one rule book judges it, and is answered when
 * every live instance decides by the outcome or `waitMs` have passed.
 */
import type { FastifyRequest } from "fastify";
import type { z } from "zod";
import { waitApplied } from "../../state/applied.ts";
import type { Actor, Change } from "../../state/model.ts";
import { percentFromNumber, percentToNumber } from "../../state/percent.ts";
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
  type WriteAnswer,
  writeAnswer,
} from "../schemas.ts";
import type { Views } from "../view.ts";

type Needs = Pick<AdminOptions, "store" | "follower" | "clock" | "log">;

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
  const { store, follower, clock, log } = needs;

  async function write(
    request: FastifyRequest,
    name: string,
    change: Change,
    body: WriteBody,
  ): Promise<WriteAnswer> {
    const lastGood = follower.current().states.get(name);
    const applied = await store.apply({
      name,
      change,
      actor: actorOf(request),
      reason: body.reason ?? "",
      ...(body.ifVersion === undefined ? {} : { ifVersion: body.ifVersion }),
      ...(lastGood === undefined ? {} : { lastGood }),
    });
    const { state } = applied;
    const said = { cutover: name, action: change.action, by: actorOf(request).name, version: state.version };
    if (!applied.accepted) {
      log.info({ ...said, code: applied.code }, "a change was refused");
      throw refusedByRules(applied.code, state);
    }
    log.info({ ...said, changed: applied.changed }, "a change was accepted");
    const count = await waitApplied({
      store,
      name,
      version: state.version,
      waitMs: body.waitMs,
      clock,
      nudge: () => follower.refresh(),
    });
    return {
      name,
      percent: percentToNumber(state.percentThousandths),
      state: state.state,
      version: state.version,
      changed: applied.changed,
      applied: {
        ...(count.of > 0 ? count : knownWithoutStore(name, state.version)),
        ms: Math.round((clock.monotonic() - request.arrivedMs) * 10) / 10,
      },
    };
  }

  /** The change stands but the store fell silent: of as many as were live last, only this instance can be told. */
  function knownWithoutStore(name: string, version: number): { instances: number; of: number } {
    return { instances: views.state(name).version >= version ? 1 : 0, of: fleet.lastCount() };
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
