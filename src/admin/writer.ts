/**
 * One change: to `store.apply`, where the one rule book judges it, and answered when every live instance decides by the
 * outcome or `waitMs` have passed.
 *
 * A rollback or a hold does not fail for want of the store: this instance does as it was told by itself, at once when
 * the store is known to be out of reach, and says so (`applied.scope: "local"`).
 */
import type { FastifyRequest } from "fastify";
import type { Audit } from "../audit/port.ts";
import { systemTimers, within } from "../base/clock.ts";
import { StoreUnavailable } from "../base/errors.ts";
import { waitApplied } from "../state/follow/applied.ts";
import { type LocalAction, localActions } from "../state/rules/ceiling.ts";
import { reachOf } from "../state/rules/completion.ts";
import type { Actor, Applied, Change } from "../state/rules/model.ts";
import type { Command } from "../state/store/port.ts";
import type { WriteAnswer } from "./api/write.ts";
import { appliedLocally, appliedView, writeView } from "./applied-view.ts";
import type { AdminOptions } from "./context.ts";
import type { Fleet } from "./fleet.ts";
import { originOf } from "./origin.ts";
import { refusedByRules } from "./problem.ts";
import type { Views } from "./view.ts";

type Needs = Pick<AdminOptions, "store" | "follower" | "local" | "inForce" | "clock" | "log"> & {
  readonly audit: Audit;
};

/** What every write's body has. */
export interface WriteBody {
  readonly reason?: string | undefined;
  readonly ifVersion?: number | undefined;
  readonly waitMs: number;
}

/** @throws Refused by the rules, StoreUnavailable */
export type Write = (
  request: FastifyRequest,
  name: string,
  change: Change,
  body: WriteBody,
  fourEyes?: Command["fourEyes"],
) => Promise<WriteAnswer>;

export function createWriter(needs: Needs, views: Views, fleet: Fleet): Write {
  const { store, follower, local, clock, log, audit } = needs;

  async function write(
    request: FastifyRequest,
    name: string,
    change: Change,
    body: WriteBody,
    fourEyes: Command["fourEyes"],
  ): Promise<WriteAnswer> {
    const actor = actorOf(request);
    const origin = originOf(request);
    const asked = {
      name,
      actor,
      reason: body.reason ?? "",
      origin,
      ...(body.ifVersion === undefined ? {} : { ifVersion: body.ifVersion }),
      ...(fourEyes === undefined ? {} : { fourEyes }),
    };
    const action = localActions.find((each) => each === change.action);
    const stood = views.state(name);
    const told = { name, change, actor, reason: asked.reason, origin };
    const { applied, scope } = await apply({ ...asked, change }, action).catch((error: unknown) => {
      if (error instanceof StoreUnavailable) {
        audit.refused({ ...told, stands: stood, code: "store_unavailable" });
        request.isAudited = true;
      }
      throw error;
    });
    const { state } = applied;
    const said = {
      cutover: name,
      action: change.action,
      by: actor.name,
      via: origin.via,
      requestId: request.id,
      version: state.version,
      scope,
    };
    if (!applied.accepted) {
      log.info({ ...said, code: applied.code }, "a change was refused");
      audit.refused({ ...told, stands: state, code: applied.code });
      request.isAudited = true;
      throw refusedByRules(applied.code, state);
    }
    log.info({ ...said, changed: applied.changed }, "a change was accepted");
    const ms = () => Math.round((clock.monotonic() - request.arrivedMs) * 10) / 10;
    if (scope === "local") {
      audit.madeLocally({ ...told, stands: state });
      const [isInForce] = await Promise.all([isInForceWithin(body.waitMs), local.keptLocally()]);
      return writeView(name, applied, appliedLocally(name, fleet.lastOthers(), ms(), isInForce));
    }
    const completion = await waitApplied({
      store,
      name,
      version: state.version,
      reach: reachOf(change, stood.percentThousandths),
      waitMs: body.waitMs,
      clock,
      // Most often it was announced before the store's answer came.
      nudge: async () => {
        if (views.state(name).version < state.version) await follower.refresh();
      },
    });
    const view = appliedView(completion, ms());
    return writeView(
      name,
      applied,
      completion.of > 0 ? view : { ...view, ...knownWithoutStore(name, state.version) },
    );
  }

  /** Whether all processes of this instance decide by it in that time. */
  async function isInForceWithin(ms: number): Promise<boolean> {
    if (needs.inForce === undefined) return true;
    return within(ms, systemTimers, needs.inForce()).then(
      () => true,
      () => false,
    );
  }

  async function apply(
    command: Omit<Command, "lastGood">,
    action: LocalAction | undefined,
  ): Promise<{ applied: Applied; scope: "fleet" | "local" }> {
    const locally = (as: LocalAction) =>
      ({ applied: local.makeLocally({ ...locallyAsked(command), action: as }), scope: "local" }) as const;
    if (action !== undefined && !follower.contact().up) return locally(action);
    // What is lowered on this instance alone is no state of the store's to go on from.
    const { states, local: lowered } = follower.current();
    const lastGood = lowered?.has(command.name) === true ? undefined : states.get(command.name);
    try {
      const applied = await store.apply({ ...command, ...(lastGood === undefined ? {} : { lastGood }) });
      if (!applied.accepted && applied.code === "fenced") throw new Error("fenced without a fence");
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

  return (request, name, change, body, fourEyes) => write(request, name, change, body, fourEyes);
}

/** A change of one instance takes no part in four eyes: it only ever lowers. */
function locallyAsked({ origin, name, actor, reason, ifVersion }: Omit<Command, "lastGood">) {
  const requestId = origin?.requestId;
  return { name, actor, reason, requestId, ...(ifVersion === undefined ? {} : { ifVersion }) };
}

export function actorOf(request: FastifyRequest): Actor {
  if (request.actor === null) throw new Error("a change was asked for by nobody");
  return request.actor;
}
