/**
 * Lowering little by little, where the cutover is configured so: the first step is made by whoever asks, through the one rule
 * book, and the others by the instance that leads. A rollback is at once, unless it is asked to be gradual; then a hold
 * latches raises until it is made.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyRequest } from "fastify";
import { errorText } from "../../base/log.ts";
import type { Change } from "../../state/rules/model.ts";
import { standingPercent } from "../../state/rules/routing.ts";
import { type ReturningView, returningViewOf } from "../api/plan/return-view.ts";
import type { WriteAnswer } from "../api/write.ts";
import type { AdminContext } from "../context.ts";
import { Refused } from "../problem.ts";
import type { Views } from "../view.ts";
import type { Write } from "../writer.ts";

type Body = Parameters<Write>[3];
type Lowering = Extract<Change, { action: "set" }>;

interface Gradually {
  /** As it was, but that what is lowered is lowered step by step. */
  readonly write: Write;
  /** @throws Refused `invalid` where the cutover has no time to return in */
  rollBack(request: FastifyRequest, name: string, body: Body): Promise<WriteAnswer>;
}

const mostAttempts = 5;
const lookEachMs = 100;

export function gradually(
  context: Pick<AdminContext, "plans" | "follower" | "log">,
  views: Pick<Views, "state">,
  write: Write,
): Gradually {
  const { plans, follower } = context;
  const { returns } = plans;
  const { begin, end } = createEnds(context);

  /** @returns `undefined`: it is not one, or is made at once */
  function firstOf(
    name: string,
    change: Change,
  ): { readonly lower: Lowering; readonly from: number } | undefined {
    if (change.action !== "set" || returns.over(name) === undefined) return undefined;
    const stands = views.state(name);
    const from = standingPercent(stands, change.cohort);
    const isLower = change.percentThousandths < from && (stands.state === "open" || stands.state === "held");
    // A gradual rollback goes on; what lowers it further is at once.
    if (!isLower || returns.known(name)?.kind === "rollback") return undefined;
    const to = change.percentThousandths;
    return { lower: { ...change, percentThousandths: returns.first({ from, to }) }, from };
  }

  const writeGradually: Write = async (request, name, change, body, fourEyes) => {
    for (let attempt = 1; ; attempt += 1) {
      const first = firstOf(name, change);
      if (first === undefined || change.action !== "set") {
        const answer = await write(request, name, change, body, fourEyes);
        // Whoever sets it where it stands, or above, wants it to be there.
        const isStopped = change.action === "set" && returns.known(name)?.kind === "lower";
        if (isStopped) await end(name, `set to ${answer.percent}% by ${nameOf(request)}`);
        return answer;
      }
      const { lower, from } = first;
      // Judged by where it stands here: where it stands lower by now, this would raise it.
      const ifVersion = body.ifVersion ?? views.state(name).version;
      try {
        const answer = await write(request, name, lower, { ...body, ifVersion }, fourEyes);
        const whose = lower.cohort === undefined ? {} : { cohort: lower.cohort };
        const part = { ...whose, from, to: change.percentThousandths };
        const { by, reason } = { by: nameOf(request), reason: body.reason ?? "" };
        return await begin(name, answer, { kind: "lower", by, reason, parts: [part], made: 1 });
      } catch (error) {
        const isOutrun = error instanceof Refused && error.code === "version_conflict";
        if (!isOutrun || body.ifVersion !== undefined || attempt === mostAttempts) throw error;
        await follower.refresh();
      }
    }
  };

  return {
    write: writeGradually,
    async rollBack(request, name, body) {
      if (returns.over(name) === undefined) {
        throw new Refused("invalid", "gradual: expected a cutover that is configured to return over a time");
      }
      const { percentThousandths, cohorts = {}, state } = views.state(name);
      const parts = [
        { from: percentThousandths, to: 0 },
        ...Object.entries(cohorts).map(([cohort, from]) => ({ cohort, from, to: 0 })),
      ].filter(({ from }) => from > 0);
      const isAtOnce = parts.length === 0 || (state !== "open" && state !== "held") || !follower.contact().up;
      if (isAtOnce) return await write(request, name, { action: "rollback" }, body);
      const startedMs = performance.now();
      const held = await write(request, name, { action: "hold" }, body);
      // Told while the store fell silent: on this instance alone nobody makes the steps.
      if (held.applied.scope === "local") return await write(request, name, { action: "rollback" }, body);
      const asked = {
        kind: "rollback",
        by: nameOf(request),
        reason: body.reason ?? "",
        parts,
        made: 0,
      } as const;
      const running = returns.known(name);
      // Asked for again it goes on as it does, and takes no longer.
      const answer =
        running?.kind === "rollback"
          ? { ...held, returning: returningViewOf(running, returns.steps) }
          : await begin(name, held, asked);
      while (performance.now() - startedMs < body.waitMs) {
        if (views.state(name).state === "rolled_back") {
          const { ifVersion: _, ...rest } = body;
          return await write(request, name, { action: "rollback" }, rest);
        }
        await sleep(lookEachMs);
      }
      // What no instance has done yet is not done: raises alone are latched.
      return { ...answer, applied: { ...answer.applied, instances: 0, complete: false, completeBy: null } };
    },
  };
}

/** How a return begins and is ended, beside the change that was made. */
function createEnds({ plans: { returns }, log }: Pick<AdminContext, "plans" | "log">) {
  /** What was lowered stands, whatever becomes of the rest: a person has to know. */
  async function begin(
    name: string,
    answer: WriteAnswer,
    asked: Omit<Parameters<typeof returns.begin>[1], "version">,
  ): Promise<WriteAnswer> {
    let returning: ReturningView | undefined;
    try {
      const begun = await returns.begin(name, { ...asked, version: answer.version });
      returning = begun && returningViewOf(begun, returns.steps);
    } catch (error) {
      log.error({ cutover: name, error: errorText(error) }, "the return was begun and cannot go on");
    }
    if (returning !== undefined) return { ...answer, returning };
    const text = `it was lowered to ${answer.percent}% and does not go on by itself: ask again`;
    return { ...answer, warnings: [...(answer.warnings ?? []), { code: "return_not_begun", text }] };
  }

  /** The change that was made stands; the leader finds most of them itself. */
  async function end(name: string, because: string): Promise<void> {
    await returns.end(name, because).catch((error: unknown) => {
      log.warn({ cutover: name, error: errorText(error) }, "the return may go on");
    });
  }

  return { begin, end };
}

function nameOf({ actor }: Pick<FastifyRequest, "actor">): string {
  if (actor === null) throw new Error("a change was asked for by nobody");
  return actor.name;
}
