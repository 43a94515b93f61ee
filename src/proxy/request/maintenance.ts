/**
 * What would go to a side that is maintained is answered 503, with the moment to come again, and nothing of it is sent: no
 * journey starts or goes on there, and a payment provider's callback comes again. A person's browser that asks for a page
 * is given one, the shop's own where there is such.
 */
import { maintainedUntil } from "../../state/rules/sides/maintenance.ts";
import { type Refusal, refusals } from "../refusal.ts";
import type { CompiledRoute } from "../routes.ts";
import { isOver, type Recorded, refuse } from "../settle.ts";
import type { Decided } from "../witness.ts";
import { navigates } from "./client.ts";

const ownPage = Buffer.from(
  `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Back soon</title></head>
<body style="font-family:sans-serif;max-width:34em;margin:4em auto;padding:0 1em">
<h1>Back soon</h1>
<p>This part of the shop is being worked on. Nothing was ordered and nothing was charged by this request.</p>
<p>Please try again in a few minutes.</p>
</body>
</html>
`,
);

/**
 * @param page what a person's browser is shown; absent: nobody's asks
 * @returns `undefined` where its side serves
 */
export function maintenanceRefusal(
  { decision: { side }, state }: Pick<Decided, "decision" | "state">,
  nowMs: number,
  page: Buffer | undefined,
): Refusal | undefined {
  const untilMs = maintainedUntil(state.maintenance, side, nowMs);
  if (untilMs === undefined) return undefined;
  return {
    ...refusals.maintenance,
    retryAfter: Math.ceil((untilMs - nowMs) / 1000),
    ...(page === undefined ? {} : { page }),
  };
}

/** Whether there is still somebody to send it for, and its side serves; else what it was to bind is given back. */
export function mayBeSent(exchange: Recorded, { cutover: { pages } }: CompiledRoute, by: Decided): boolean {
  if (isOver(exchange)) {
    exchange.unsent = true;
    exchange.giveBack?.();
    return false;
  }
  if (by.state.maintenance === undefined) return true;
  const { context, inbound } = exchange;
  const { fields } = inbound.head;
  const page = navigates(fields, context.fieldNames.of(fields)) ? (pages.maintenance ?? ownPage) : undefined;
  const refusal = maintenanceRefusal(by, context.clock.now(), page);
  if (refusal === undefined) return true;
  exchange.unsent = true;
  refuse(exchange, refusal);
  return false;
}
