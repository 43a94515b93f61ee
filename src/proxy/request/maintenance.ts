/**
 * What would go to a side that is maintained is answered 503, with the moment to come again, and nothing of it is sent: no
 * journey starts or goes on there, and a payment provider's callback comes again. A person's browser is given a page.
 */
import { fieldValue } from "../../decide/sources.ts";
import { maintainedUntil } from "../../state/rules/sides/maintenance.ts";
import { type Refusal, refusals } from "../refusal.ts";
import { isOver, type Recorded, refuse } from "../settle.ts";
import type { Decided } from "../witness.ts";

const page = Buffer.from(
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
 * @param accept what the client takes
 * @returns `undefined` where its side serves
 */
export function maintenanceRefusal(
  { decision: { side }, state }: Pick<Decided, "decision" | "state">,
  nowMs: number,
  accept: string,
): Refusal | undefined {
  const untilMs = maintainedUntil(state.maintenance, side, nowMs);
  if (untilMs === undefined) return undefined;
  return {
    ...refusals.maintenance,
    retryAfter: Math.ceil((untilMs - nowMs) / 1000),
    ...(/\btext\/html\b/i.test(accept) ? { page } : {}),
  };
}

/** Whether there is still somebody to send it for, and its side serves; else what it was to bind is given back. */
export function mayBeSent(exchange: Recorded, by: Decided): boolean {
  if (isOver(exchange)) {
    exchange.unsent = true;
    exchange.giveBack?.();
    return false;
  }
  if (by.state.maintenance === undefined) return true;
  const { context, inbound } = exchange;
  const { fields } = inbound.head;
  const accept = fieldValue(fields, context.fieldNames.of(fields), "accept") ?? "";
  const refusal = maintenanceRefusal(by, context.clock.now(), accept);
  if (refusal === undefined) return true;
  exchange.unsent = true;
  refuse(exchange, refusal);
  return false;
}
