/** Who was not let in at the admin listener, and what was refused there, as metrics. */
import { Counter, type Registry } from "prom-client";
import type { ProblemCode } from "../api/problem-details.ts";
import { statusOf } from "../problem.ts";

export interface AccessCounts {
  /** A call was answered with a problem. */
  refused(code: ProblemCode): void;
  /** @param isLookedInto not when its address had sent too many */
  wrongToken(isLookedInto: boolean): void;
}

export const noAccessCounts: AccessCounts = { refused: () => {}, wrongToken: () => {} };

export function createAccessCounts(registry: Registry): AccessCounts {
  const refused = new Counter({
    name: "cutover_admin_refused_total",
    help: "Calls of the admin listener that were answered with a problem, by its code.",
    labelNames: ["code"],
    registers: [registry],
  });
  const wrong = new Counter({
    name: "cutover_admin_wrong_tokens_total",
    help: "Tokens and sign-ins that were none: checked, or ignored because their address had sent too many.",
    labelNames: ["handling"],
    registers: [registry],
  });
  for (const code of Object.keys(statusOf)) refused.inc({ code }, 0);
  for (const handling of ["checked", "ignored"]) wrong.inc({ handling }, 0);
  return {
    refused: (code) => refused.inc({ code }),
    wrongToken: (isLookedInto) => wrong.inc({ handling: isLookedInto ? "checked" : "ignored" }),
  };
}
