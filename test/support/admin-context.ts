/** The context of the admin server's parts, for a test of one of them: what the test does not give does nothing. */

import { type AdminContext, type AdminOptions, contextOf } from "../../src/admin/context.ts";
import type { Following } from "../../src/state/follow/snapshot.ts";

type Given = Pick<AdminOptions, "store" | "instance" | "traffic" | "clock"> & {
  readonly follower: Following;
};

export function adminContext(given: Given & Partial<Omit<AdminOptions, "follower">>): AdminContext {
  const unchanging = { makeLocally: unexpected, keptLocally: async () => {}, pendingLocally: () => [] };
  return contextOf({
    cutovers: {},
    auth: "none",
    metrics: async () => ({ contentType: "text/plain", parts: [] }),
    explain: () => undefined,
    health: () => "ready",
    log: { info: () => {}, warn: () => {}, error: () => {} },
    version: "0.0.0",
    ...given,
    follower: { ...unchanging, ...given.follower },
  });
}

function unexpected(): never {
  throw new Error("nothing was to be changed");
}
