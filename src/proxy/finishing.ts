/** Which routes finish an order, and whether a cutover's orders can be told finished from unfinished at all. */
import type { CutoverConfig, RouteConfig } from "../config/schema.ts";

/** Whether a 2xx on the route finishes the order that the request names. */
export function finishes({ journey, payment }: RouteConfig): boolean {
  return payment || journey === "end";
}

/** Whether orders are learned, and some route that finishes them can name one. */
export function countsOrders({ owners, routes }: CutoverConfig): boolean {
  const ending = routes.filter(finishes);
  const isNamed = (name: string) =>
    ending.some(({ path }) => path.segments.some((one) => one.kind === "param" && one.name === name));
  const keys = owners.flatMap(({ key, learn }) => (learn === undefined ? [] : key));
  return ending.length > 0 && keys.some((key) => key.kind !== "param" || isNamed(key.name));
}
