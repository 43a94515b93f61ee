import type { Config } from "../config/schema.ts";
import type { CutoverRoutes } from "../telemetry/requests/counts.ts";

/** The names that the counts of a configuration go by. */
export function routesOf({ cutovers }: Config): CutoverRoutes[] {
  return Object.entries(cutovers).map(([name, { routes }]) => ({
    name,
    routes: routes.map((route) => route.name),
  }));
}
