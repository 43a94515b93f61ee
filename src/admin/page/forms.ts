/**
 * The forms of the page, for whoever's browser runs no script, or not yet: rolling back and holding, one cutover or all.
 * The answer is a page, whatever came of it. A form made with a session carries its CSRF token in a field.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import type { PageNotice } from "../../console/state.ts";
import { createFigures } from "../../console/words/figures.ts";
import { allNotice, doneNotice, refusedNotice } from "../../console/words/outcome.ts";
import type { PageDoor } from "../access/session-cookie.ts";
import { reasonSchema } from "../api/write.ts";
import { askingOf } from "../every-request.ts";
import { problemFor, Refused } from "../problem.ts";
import type { WriteAll } from "../routes/every-cutover.ts";
import type { Write } from "../writer.ts";
import type { PageParts, SendPage } from "./page.ts";

/** Of a form's fields the first of each name counts. */
const form = z.object({
  action: z.enum(["rollback", "hold", "rollback_all", "hold_all"]),
  cutover: z.string().optional(),
  csrf: z.string().default(""),
  reason: reasonSchema.optional().catch(undefined),
});
type Form = z.output<typeof form>;

const waitMs = 2000;

export async function formRoutes(
  { app, context, gate, views }: PageParts,
  write: Write,
  writeAll: WriteAll,
  door: PageDoor | undefined,
  send: SendPage,
): Promise<void> {
  async function assertAllowed(request: FastifyRequest, reply: FastifyReply, { csrf }: Form): Promise<void> {
    const { actor, page } = await gate.admit(askingOf(request));
    request.actor = actor;
    request.signedIn = page ?? null;
    if (page !== undefined) await door?.refuseForgedForm(request, reply, csrf);
  }

  async function act(request: FastifyRequest, { action, cutover = "", reason }: Form): Promise<PageNotice> {
    const now = new Date(context.clock.now()).toISOString();
    const body = { reason, waitMs };
    switch (action) {
      case "rollback_all":
        return allNotice(await writeAll(request, { action: "rollback" }, body));
      case "hold_all":
        return allNotice(await writeAll(request, { action: "hold" }, body));
      case "rollback":
      case "hold":
        views.assertKnown(cutover);
        return doneNotice(await write(request, cutover, { action }, body), createFigures("en", "UTC"), now);
    }
  }

  // Bodies of the API are JSON: only here a form is read.
  await app.register(async (scope) => {
    scope.addContentTypeParser(
      "application/x-www-form-urlencoded",
      { parseAs: "string" },
      async (_request: unknown, body: string) => Object.fromEntries([...new URLSearchParams(body)].reverse()),
    );
    scope.post("/act", { config: { isPublic: true }, schema: { hide: true } }, async (request, reply) => {
      const asked = form.safeParse(request.body);
      if (!asked.success) throw new Refused("invalid", "action: none of the page's");
      let notice: PageNotice;
      try {
        await assertAllowed(request, reply, asked.data);
        notice = await act(request, asked.data);
      } catch (error) {
        const problem = problemFor(error);
        if (problem.code === "internal") context.log.error({ err: error }, "a form of the page met an error");
        notice = refusedNotice(problem);
        reply.code(problem.status);
      }
      return send(request, reply, { cutover: asked.data.cutover, notice });
    });
  });
}
