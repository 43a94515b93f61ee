/** Who asks: what a person checks first when something is refused, or clocks are doubted. */
import { systemTimers, within } from "../../base/clock.ts";
import { identity } from "../api/instance-view.ts";
import type { AdminApp, AdminOptions } from "../context.ts";
import { refusals } from "../openapi.ts";

const patienceMs = 2000;

type Needs = Pick<AdminOptions, "store" | "clock" | "instance" | "version">;

export function whoAmIRoute(app: AdminApp, { store, clock, instance, version }: Needs): void {
  app.route({
    method: "GET",
    url: "/api/v1/whoami",
    schema: {
      operationId: "whoAmI",
      summary: "Who the caller is to this instance, its clock and the store's",
      tags: ["session"],
      response: { 200: identity.describe("The caller"), ...refusals([]) },
    },
    handler: async ({ actor }) => {
      if (actor === null) throw new Error("asked by nobody");
      return {
        ...actor,
        instance: instance.id,
        version,
        serverTime: new Date(clock.now()).toISOString(),
        ...(await storeClock()),
      };
    },
  });

  async function storeClock(): Promise<{ storeTime: string | null; storeMs: number | null }> {
    const sentMs = clock.monotonic();
    try {
      const { nowMs } = await within(patienceMs, systemTimers, store.roster());
      const storeMs = Math.round((clock.monotonic() - sentMs) * 10) / 10;
      return { storeTime: new Date(nowMs).toISOString(), storeMs };
    } catch {
      return { storeTime: null, storeMs: null };
    }
  }
}
