/**
 * Closing legacy for good. It is refused while legacy has journeys under way or unfinished orders, or while nobody can
 * say whether it has, unless it is forced: what was under way then stands in the history, as a remark on the change. So is it
 * while the configuration keeps a cohort on legacy, whom a close would take to new. And always while the cutover that this
 * one goes after is open.
 *
 * That is asked a moment before the change: what begins on legacy in that very moment goes by the close. At 100% only
 * shoppers without an identity begin anything there.
 */
import type { FastifyRequest } from "fastify";
import { errorText } from "../../base/log.ts";
import type { CutoverUnderWay } from "../../ownership/under-way/figures.ts";
import { transition } from "../../state/rules/model.ts";
import type { ProblemDetails } from "../api/problem-details.ts";
import { closeBody, proposalView, type WriteAnswer } from "../api/write.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { sidesView } from "../fleet.ts";
import { refusedByOrder } from "../order.ts";
import { Refused } from "../problem.ts";
import type { Proposals } from "../proposals.ts";
import type { Views } from "../view.ts";
import { actorOf, requestOrigin, type Write } from "../writer.ts";
import { propose, versionToProposeOn } from "./proposing.ts";
import { changeOptions } from "./writes.ts";

export function closeRoute(
  app: AdminApp,
  context: AdminContext,
  write: Write,
  views: Views,
  proposals: Proposals,
): void {
  const refused = [
    ...(["held", "rolled_back", "not_complete", "under_way"] as const),
    ...(["cohort_on_legacy", "out_of_order", "frozen"] as const),
  ];
  const summary = "Close legacy for good: the point of no return";
  const options = changeOptions(views, closeBody, "close", summary, refused);
  const close = createClosing(context, write, views);
  app.route({
    method: "POST",
    url: "/api/v1/cutovers/:name/close",
    ...options,
    schema: {
      ...options.schema,
      response: {
        ...options.schema.response,
        202: proposalView.describe("Proposed: in force once another person has approved it"),
      },
    },
    handler: async (request, reply) => {
      const { body, params } = request;
      try {
        return await close(request, params.name, body, proposals.limitOf(params.name));
      } catch (error) {
        const version = versionToProposeOn(error);
        if (version === undefined) throw error;
        const { force, override, reason } = body;
        const asked = { action: "close", force, override, percent: 100, reason } as const;
        return reply
          .code(202)
          .send(await propose(context, proposals, request, params.name, { ...asked, version }));
      }
    },
  });
}

type Closing = (
  request: FastifyRequest,
  name: string,
  body: Parameters<Write>[3] & { readonly reason: string; readonly force: boolean },
  fourEyes?: Parameters<Write>[4],
) => Promise<WriteAnswer>;

/** @returns what closes, or throws Refused, StoreUnavailable */
export function createClosing(context: AdminContext, write: Write, views: Views): Closing {
  const { audit, follower, store, log } = context;

  return async (request, name, body, fourEyes) => {
    await follower.refresh();
    const left = leftOnLegacy((await context.underWay()).get(name));
    const kept = views.keptOnLegacy(name);
    const asked = {
      name,
      change: { action: "close" } as const,
      actor: actorOf(request),
      reason: body.reason,
      origin: requestOrigin(request),
    };
    const stands = views.state(name);
    // What the rules refuse anyway they refuse, and what is closed already stays so.
    const judged = transition(stands, {
      ...asked,
      at: "",
      ...(body.ifVersion === undefined ? {} : { ifVersion: body.ifVersion }),
    });
    const isClosing = judged.accepted && judged.changed;
    const early = refusedByOrder(name, stands, views.leaders(name), asked.change);
    const refusal = isClosing ? (early ?? (body.force ? undefined : stakeOf(left, kept))) : undefined;
    if (refusal !== undefined) {
      const { code, refused } = refusal;
      audit.refused({ ...asked, stands, code });
      request.isAudited = true;
      log.info({ cutover: name, by: asked.actor.name, code }, "a change was refused");
      throw refused;
    }
    const answer = await write(request, name, asked.change, body, fourEyes);
    const forced = [
      ...(left === undefined ? [] : [`legacy had ${left.text}`]),
      ...(kept.length === 0 ? [] : [`the configuration kept ${cohortsText(kept)} there`]),
    ];
    if (isClosing && forced.length > 0 && answer.changed) {
      const { actor, origin } = asked;
      const reason = `forced: ${forced.join("; ")}`;
      log.warn({ cutover: name, by: actor.name, underWay: left?.figures }, "legacy was closed by force");
      await store
        .annotate({ name, version: answer.version, by: actor.name, reason, ...origin })
        .then((annotation) => {
          if (annotation !== undefined) audit.annotated(name, answer.version, annotation);
        })
        .catch((error: unknown) => log.warn({ problem: errorText(error) }, "the history lacks a remark"));
    }
    return answer;
  };
}

/** What a close would give up. @param kept the cohorts that the configuration has there */
function stakeOf(left: Left | undefined, kept: readonly string[]) {
  if (kept.length > 0) {
    const text = `the configuration keeps ${cohortsText(kept)} on legacy, and a close takes them to new: take that out, or force it`;
    return { code: "cohort_on_legacy", refused: new Refused("cohort_on_legacy", text) } as const;
  }
  if (left === undefined) return undefined;
  const refused = new Refused("under_way", `legacy has ${left.text}`, { extras: { underWay: left.figures } });
  return { code: "under_way", refused } as const;
}

function cohortsText(names: readonly string[]): string {
  return `the cohort${names.length === 1 ? "" : "s"} ${names.join(", ")}`;
}

interface Left {
  readonly figures: NonNullable<ProblemDetails["underWay"]>;
  /** `3 journeys under way and 2 unfinished orders, the oldest since 2025-03-01T12:00:00.000Z` */
  readonly text: string;
}

/** PURE. @returns `undefined` when legacy certainly has nothing, or nothing is counted */
function leftOnLegacy(underWay: CutoverUnderWay | undefined): Left | undefined {
  if (underWay === undefined) return undefined;
  const figures = {
    journeys: sidesView(underWay.journeys)?.legacy ?? null,
    unfinished: sidesView(underWay.orders)?.legacy ?? null,
  };
  const untold = (underWay.untold ?? []).map((kind) => (kind === "journeys" ? "journeys" : "orders"));
  const counted = [
    countText(figures.journeys, "journey", "journeys", "under way"),
    countText(figures.unfinished, "unfinished order", "unfinished orders", ""),
  ].filter((each) => each !== "");
  if (counted.length === 0 && untold.length === 0) return undefined;
  const oldest = [figures.journeys, figures.unfinished]
    .flatMap((each) => each?.oldestStartedAt ?? [])
    .sort()
    .at(0);
  const since = oldest === undefined ? "" : `, the oldest since ${oldest}`;
  const known = counted.length === 0 ? "" : `${counted.join(" and ")}${since}`;
  if (untold.length === 0) return { figures, text: known };
  const unknown = `nobody can say how many ${untold.join(" and ")}, since the store does not tell`;
  return { figures, text: known === "" ? unknown : `${known}, and ${unknown}` };
}

function countText(
  count: { readonly open: number; readonly atLeast: boolean } | null,
  one: string,
  more: string,
  state: string,
): string {
  if (count === null || count.open === 0) return "";
  const number = `${count.atLeast ? "at least " : ""}${count.open}`;
  return [number, count.open === 1 ? one : more, state].filter((word) => word !== "").join(" ");
}
