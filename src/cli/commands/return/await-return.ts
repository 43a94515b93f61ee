/** `rollback --gradual`: raises are latched at once, and it is done when it is rolled back, at 0 and on every instance. */
import { setTimeout as sleep } from "node:timers/promises";
import { Option } from "commander";
import type { CutoverView } from "../../../admin/api/cutover-view.ts";
import type { AdminClient, WriteCall } from "../../client.ts";
import { share } from "../../screen/format.ts";
import type { Terminal } from "../../screen/terminal.ts";
import { printable } from "../../screen/text.ts";

export function gradualOption(): Option {
  return new Option(
    "--gradual",
    "not at once: latch raises, return over the cutover's configured time, and answer once it is at 0",
  ).conflicts(["hard", "all", "direct"]);
}

type Standing = Pick<CutoverView, "name" | "percent" | "state" | "returning">;

/** Steps wait for a new leader where one dies. */
const graceMs = 60_000;
const askEachMs = 1000;

/**
 * @param begun what the rollback was answered with; where nothing returns it is returned as it is
 * @returns how the rollback stands then: done, or ended by somebody
 */
export async function awaitReturn(
  { client, terminal }: { readonly client: AdminClient; readonly terminal: Terminal },
  name: string,
  call: WriteCall,
  begun: Awaited<ReturnType<AdminClient["write"]>>,
): Promise<typeof begun> {
  const returning = begun.kind === "ok" && "returning" in begun.value ? begun.value.returning : undefined;
  if (returning?.kind !== "rollback" || call.call !== "rollback") return begun;
  const untilMs = performance.now() + returning.overSeconds * 1000 + graceMs;
  let told = "";
  while (performance.now() < untilMs) {
    const found = await client.cutover(name);
    if (found.kind === "ok") {
      const line = progressLine(found.value);
      if (line !== told) terminal.err(`${line}\n`);
      told = line;
      // Where somebody has resumed or raised it this is a rollback that nobody asks for: what stands is told.
      if (found.value.state === "rolled_back") return await client.write(name, proofOf(call));
      if (found.value.returning === undefined) return begun;
    }
    await sleep(askEachMs);
  }
  return begun;
}

/** The same again, which alters nothing: it is answered with where it is in force. */
function proofOf({ body }: Extract<WriteCall, { call: "rollback" }>): WriteCall {
  const { gradual: _, ifVersion: __, ...rest } = body;
  return { call: "rollback", body: rest };
}

function progressLine({ name, percent, state, returning }: Standing): string {
  if (state === "rolled_back") return `${printable(name)}: rolled back`;
  if (returning === undefined) return `${printable(name)}: ${share(percent)}, and returns no further`;
  const { step, steps } = returning;
  return `${printable(name)}: raises are latched, ${share(percent)} on new, step ${step} of ${steps}`;
}
