/** The context of the admin server's parts, for a test of one of them: what the test does not give does nothing. */
import { type AdminContext, type AdminOptions, contextOf } from "../../src/admin/context.ts";

type Given = Pick<AdminOptions, "store" | "follower" | "instance" | "traffic" | "clock">;

export function adminContext(given: Given & Partial<AdminOptions>): AdminContext {
  return contextOf({
    local: { makeLocally: unexpected, keptLocally: async () => {}, pendingLocally: () => [] },
    cutovers: {},
    auth: "none",
    metrics: { contentType: "text/plain", render: () => "" },
    explain: () => undefined,
    health: () => "ready",
    log: { info: () => {}, warn: () => {}, error: () => {} },
    version: "0.0.0",
    ...given,
  });
}

function unexpected(): never {
  throw new Error("nothing was to be changed");
}
