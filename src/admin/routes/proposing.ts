/** A change that one person may not make alone becomes a proposal. */
import type { FastifyRequest } from "fastify";
import type { ProposalView } from "../api/write.ts";
import type { AdminContext } from "../context.ts";
import { Refused } from "../problem.ts";
import type { AskedProposal, Proposals } from "../proposals.ts";
import { actorOf, requestOrigin } from "../writer.ts";

/** @returns the version that a second person is asked for; `undefined` where none is asked for */
export function versionToProposeOn(error: unknown): number | undefined {
  const isProposable = error instanceof Refused && error.code === "approval_required";
  return isProposable ? error.extras.current?.version : undefined;
}

/** @throws StoreUnavailable */
export async function propose(
  { log }: AdminContext,
  proposals: Proposals,
  request: FastifyRequest,
  name: string,
  asked: AskedProposal,
): Promise<ProposalView> {
  const { action, cohort, percent, version } = asked;
  const by = { actor: actorOf(request), origin: requestOrigin(request) };
  const proposal = await proposals.propose(name, asked, by);
  log.info(
    {
      cutover: name,
      ...(cohort === undefined ? {} : { cohort }),
      proposal: proposal.id,
      by: by.actor.name,
      percent,
      version,
    },
    `a ${wordOf(action)} was proposed`,
  );
  return proposal;
}

/** How a proposed change is called. */
export function wordOf(action: ProposalView["action"]): "raise" | "raise at a time" | "close" | "plan" {
  if (action === "schedule") return "raise at a time";
  return action === "set" ? "raise" : action;
}
