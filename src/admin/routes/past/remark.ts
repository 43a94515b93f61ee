/** Into the history goes also what is no change of the cutover itself, and has no version: as a remark on the one in force. */
import type { FastifyRequest } from "fastify";
import { systemTimers, within } from "../../../base/clock.ts";
import { errorText } from "../../../base/log.ts";
import { longestReason } from "../../api/rules.ts";
import type { AdminContext } from "../../context.ts";
import type { Views } from "../../view.ts";
import { actorOf, requestOrigin } from "../../writer.ts";

const patienceMs = 1000;

/** Never rejects: what cannot be remarked was done all the same, and the log says so. */
export async function remark(
  { store, log }: Pick<AdminContext, "store" | "log">,
  views: Pick<Views, "state">,
  request: FastifyRequest,
  name: string,
  text: string,
): Promise<void> {
  const { version } = views.state(name);
  if (version === 0) return;
  const by = actorOf(request).name;
  const remarked = { name, version, by, reason: text.slice(0, longestReason), ...requestOrigin(request) };
  try {
    await within(patienceMs, systemTimers, store.annotate(remarked));
  } catch (error) {
    log.warn({ cutover: name, error: errorText(error) }, "what was put right is not in the history");
  }
}
