/**
 * What is open in the fleet, as gauges. They are the fleet's figures, the same on every instance: of several
 * instances their maximum is the figure, not their sum. Absent while the store can not tell.
 */
import { Gauge, type Registry } from "prom-client";
import type { OpenFigures, OpenSides, OpenView } from "../admin/api/open-view.ts";
import { sides } from "../state/rules/model.ts";

const fleetWide = "Of the whole fleet, the same on every instance: take the max, not the sum.";

/**
 * @param read what is open now; never rejects
 * @param now ms since the epoch
 */
export function createOpenGauges(
  registry: Registry,
  read: () => Promise<OpenFigures>,
  now: () => number,
): void {
  const gauge = (
    name: string,
    help: string,
    figureOf: (view: OpenView) => OpenSides,
    value: (side: NonNullable<OpenSides>["legacy"]) => number,
  ) => {
    new Gauge({
      name,
      help: `${help} ${fleetWide}`,
      labelNames: ["cutover", "side"],
      registers: [registry],
      async collect() {
        const figures = await read();
        this.reset();
        for (const [cutover, view] of figures) {
          const figure = figureOf(view);
          for (const side of sides) if (figure !== null) this.set({ cutover, side }, value(figure[side]));
        }
      },
    });
  };
  const age = ({ oldestStartedAt }: { readonly oldestStartedAt: string | null }) =>
    oldestStartedAt === null ? 0 : Math.max(0, (now() - Date.parse(oldestStartedAt)) / 1000);

  gauge(
    "cutover_open_journeys",
    "Journeys under way.",
    ({ journeys }) => journeys,
    ({ open }) => open,
  );
  gauge(
    "cutover_oldest_journey_seconds",
    "Age of the oldest journey under way, 0 without any.",
    ({ journeys }) => journeys,
    age,
  );
  gauge(
    "cutover_unfinished_orders",
    "Orders a side owns and no 2xx has finished.",
    ({ unfinished }) => unfinished,
    ({ open }) => open,
  );
  gauge(
    "cutover_oldest_unfinished_order_seconds",
    "Age of the oldest unfinished order, 0 without any.",
    ({ unfinished }) => unfinished,
    age,
  );
}
