/**
 * One change: to `store.apply`, where the one rule book judges it, and answered when every live instance decides by the
 * outcome or `waitMs` have passed.
 *
 * A rollback or a hold does not fail for want of the store: this instance does as it was told by itself, at once when
 * the store is known to be out of reach, and says so (`applied.scope: "local"`).
 */
import type { FastifyRequest } from "fastify";
import type { RefusedChange } from "../audit/port.ts";
import { systemTimers, within } from "../base/clock.ts";
import { StoreUnavailable } from "../base/errors.ts";
import { waitApplied } from "../state/follow/applied.ts";
import { type LocalAction, localActions } from "../state/rules/ceiling.ts";
import { type Reach, reachOf } from "../state/rules/completion.ts";
import type { Origin } from "../state/rules/history.ts";
import {
  type Actor,
  type Applied,
  type Change,
  type CutoverState,
  transition,
} from "../state/rules/model.ts";
import { standingPercent } from "../state/rules/routing.ts";
import type { Command } from "../state/store/port.ts";
import { appliedLocally, appliedView } from "./api/applied-view.ts";
import { warningsAfter } from "./api/sides/maintenance.ts";
import { type WriteAnswer, writeView } from "./api/write.ts";
import type { AdminContext } from "./context.ts";
import type { Fleet } from "./fleet.ts";
import { refusedByOrder } from "./order.ts";
import { refusedByRules } from "./problem.ts";
import { createAgainst, tellOverridden } from "./raises/against.ts";
import type { Views } from "./view.ts";

/** What every write's body has. */
interface WriteBody {
  readonly reason?: string | undefined;
  readonly ifVersion?: number | undefined;
  readonly waitMs: number;
  /** Of a raise or a close: although a window or a freeze is against it. */
  readonly override?: boolean | undefined;
}

/** @throws Refused by the rules, StoreUnavailable */
export type Write = (
  request: FastifyRequest,
  name: string,
  change: Change,
  body: WriteBody,
  fourEyes?: Command["fourEyes"],
) => Promise<WriteAnswer>;

export function createWriter(context: AdminContext, views: Views, fleet: Fleet): Write {
  const { audit, clock, log } = context;
  const whereabouts = createWhereabouts(context, views, fleet);
  const inVain = createOrderCheck(context, views);
  const againstIt = createAgainst(context, views);

  return async (request, name, change, body, fourEyes) => {
    const { reason = "", ifVersion, waitMs } = body;
    const actor = actorOf(request);
    const origin = requestOrigin(request);
    const asked = { name, change, actor, reason, origin };
    const stood = views.state(name);

    function tellRefused(code: RefusedChange["code"], stands: CutoverState): void {
      audit.refused({ ...asked, stands, code });
      request.isAudited = true;
    }

    function orUnavailable(error: unknown): never {
      if (error instanceof StoreUnavailable) tellRefused("store_unavailable", stood);
      throw error;
    }

    const on = ifVersion === undefined ? asked : { ...asked, ifVersion };
    const vain = await inVain(asked, ifVersion);
    const against = vain === undefined ? await againstIt(on).catch(orUnavailable) : undefined;
    const refusal = vain ?? (body.override === true ? undefined : against);
    if (refusal !== undefined) {
      log.info({ cutover: name, by: actor.name, code: refusal.code }, "a change was refused");
      tellRefused(refusal.code, views.state(name));
      throw refusal.refused;
    }
    const { applied, scope } = await apply(context, {
      ...on,
      ...(fourEyes === undefined ? {} : { fourEyes: against === undefined ? fourEyes : byTwo(fourEyes) }),
    }).catch(orUnavailable);
    const { state } = applied;
    const said = {
      cutover: name,
      action: change.action,
      ...(change.action === "set" && change.cohort !== undefined ? { cohort: change.cohort } : {}),
      by: actor.name,
      via: origin.via,
      requestId: request.id,
      version: state.version,
      scope,
    };
    if (!applied.accepted) {
      log.info({ ...said, code: applied.code }, "a change was refused");
      tellRefused(applied.code, state);
      throw refusedByRules(applied.code, state);
    }
    log.info({ ...said, changed: applied.changed }, "a change was accepted");
    if (against !== undefined && applied.changed)
      await tellOverridden(context, asked, state.version, against);
    const sinceArrivalMs = () => Math.round((clock.monotonic() - request.arrivedMs) * 10) / 10;
    const cohort = change.action === "set" ? change.cohort : undefined;
    const warnings = [...warningsAfter(state, clock.now()), ...views.leftBy(name, change)];
    if (scope === "local") {
      audit.madeLocally({ ...asked, stands: state });
      return writeView(
        name,
        applied,
        await whereabouts.here(applied, name, waitMs, sinceArrivalMs),
        warnings,
      );
    }
    const reach = reachOf(change, standingPercent(stood, cohort));
    const inForce = { name, version: state.version, reach, waitMs };
    const where = await whereabouts.inFleet(inForce, sinceArrivalMs);
    return writeView(name, applied, where, warnings, cohort);
  };
}

/**
 * What another cutover's sake refuses, as far as the snapshot tells; a look at the store may tell of a raise just made. What
 * the rules refuse anyway they refuse.
 */
function createOrderCheck({ follower }: Pick<AdminContext, "follower">, views: Views) {
  const refusalOf = (
    { name, change, actor }: Pick<Command, "name" | "change" | "actor">,
    ifVersion?: number,
  ) => {
    const stands = views.state(name);
    const refusal = refusedByOrder(name, stands, views.leaders(name), change);
    if (refusal === undefined) return undefined;
    const version = ifVersion === undefined ? {} : { ifVersion };
    const judged = transition(stands, { change, actor, reason: "", at: "", ...version });
    return judged.accepted && judged.changed ? refusal : undefined;
  };
  return async (asked: Parameters<typeof refusalOf>[0], ifVersion?: number) => {
    if (refusalOf(asked, ifVersion) === undefined) return undefined;
    await follower.refresh();
    return refusalOf(asked, ifVersion);
  };
}

/** However little it is: what overrides a window or a freeze is of two people. */
function byTwo({ proposalId }: NonNullable<Command["fourEyes"]>): NonNullable<Command["fourEyes"]> {
  return { overThousandths: 0, ...(proposalId === undefined ? {} : { proposalId }) };
}

type Scoped = { readonly applied: Applied; readonly scope: WriteAnswer["applied"]["scope"] };

/** By the store, or by this instance alone where that may be and the store is out of reach. @throws StoreUnavailable */
async function apply({ store, follower }: AdminContext, command: Omit<Command, "lastGood">): Promise<Scoped> {
  const action = localActions.find((each) => each === command.change.action);
  const locally = (as: LocalAction): Scoped => {
    const { name, actor, reason, ifVersion, origin } = command;
    // A change of one instance takes no part in four eyes: it only ever lowers.
    const asked = { name, actor, reason, requestId: origin?.requestId, action: as };
    const applied = follower.makeLocally(ifVersion === undefined ? asked : { ...asked, ifVersion });
    return { applied, scope: "local" };
  };
  if (action !== undefined && !follower.contact().up) return locally(action);
  // What is lowered on this instance alone is no state of the store's to go on from; nor does what is changed there stand
  // here before the store has taken it, which may lower it again.
  const { states, stored = states, local } = follower.current();
  const isLowered = local?.has(command.name) === true;
  if (action === undefined && isLowered)
    throw new StoreUnavailable("what this instance does by itself is not taken by the store yet");
  const lastGood = isLowered ? undefined : stored.get(command.name);
  try {
    const applied = await store.apply({ ...command, ...(lastGood === undefined ? {} : { lastGood }) });
    if (!applied.accepted && applied.code === "fenced") throw new Error("fenced without a fence");
    return { applied, scope: "fleet" };
  } catch (error) {
    if (action === undefined || !(error instanceof StoreUnavailable)) throw error;
    return locally(action);
  }
}

/** Tells where an accepted change is in force. `ms`: from the request's arrival until now. */
function createWhereabouts(context: AdminContext, views: Views, fleet: Fleet) {
  const { store, follower, clock, instance, profile } = context;
  const at = () => ({ id: instance.id, name: profile().name ?? instance.id });

  return {
    /** In the fleet: once every live instance decides by it, or after `waitMs`. */
    async inFleet(
      change: {
        readonly name: string;
        readonly version: number;
        readonly reach: Reach;
        readonly waitMs: number;
      },
      ms: () => number,
    ): Promise<WriteAnswer["applied"]> {
      const { name, version } = change;
      const committedMs = ms();
      const isInForceHere = () => views.state(name).version >= version;
      const completion = await waitApplied({
        ...change,
        ...{ store, clock, roll: context.roll },
        // Most often it was announced before the store's answer came.
        nudge: async () => {
          if (!isInForceHere()) await follower.refresh();
        },
      });
      const view = { ...appliedView(completion, ms()), committedMs, at: at() };
      if (completion.of > 0) return view;
      // It stands, but the store fell silent: of as many as were live last, only this instance can be told.
      return { ...view, instances: isInForceHere() ? 1 : 0, of: fleet.lastOthers().length + 1 };
    },

    /** On this instance alone: once all its processes decide by it, or after `waitMs`. */
    async here(
      { state }: Applied,
      name: string,
      waitMs: number,
      ms: () => number,
    ): Promise<WriteAnswer["applied"]> {
      const inForce = within(waitMs, systemTimers, context.inForce()).then(
        () => true,
        () => false,
      );
      const [isInForce] = await Promise.all([inForce, follower.keptLocally()]);
      const isLowered = follower.current().local?.has(name) === true;
      const settledAt = isLowered ? undefined : state.version;
      return { ...appliedLocally(name, fleet.lastOthers(), settledAt, ms(), isInForce), at: at() };
    },
  };
}

/** @throws Error when nobody was admitted, which no route behind a token lets happen */
export function actorOf({ actor }: Pick<FastifyRequest, "actor">): Actor {
  if (actor === null) throw new Error("a change was asked for by nobody");
  return actor;
}

/** By which way a change is asked for, as far as that is known here: with a session of the page, or else. */
export function requestOrigin({ signedIn, id }: Pick<FastifyRequest, "signedIn" | "id">): Origin {
  return { via: signedIn === null ? "api" : "console", requestId: id };
}
