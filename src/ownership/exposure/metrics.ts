/** The money at risk, as the instance goes by it: of cutovers with a cap. Amounts are in minor units of their currency. */
import { Gauge, type Registry } from "prom-client";
import type { ExposureStanding, ExposureWatch } from "./exposure.ts";

/** @param cutovers those with a cap; asked at a scrape, as how they stand is */
export function showExposure(
  registry: Registry,
  { standing }: Pick<ExposureWatch, "standing">,
  cutovers: () => Iterable<string>,
): void {
  const gauge = (name: string, help: string, value: (standing: ExposureStanding) => number) =>
    new Gauge({
      name,
      help: `${help} Only of cutovers with an exposure block.`,
      labelNames: ["cutover"],
      registers: [registry],
      collect() {
        this.reset();
        for (const cutover of cutovers()) {
          const stands = standing(cutover);
          if (stands !== undefined) this.set({ cutover }, value(stands));
        }
      },
    });
  gauge(
    "cutover_exposure_open_amount",
    "What the orders are worth that new has made and nobody has paid, in minor units of the currency.",
    ({ openAmount }) => openAmount,
  );
  gauge(
    "cutover_exposure_max_open_amount",
    "The cap of that, in minor units.",
    ({ maxOpenAmount }) => maxOpenAmount,
  );
  gauge("cutover_exposure_over", "1 while new journeys go to legacy for it, else 0.", ({ isOver }) =>
    isOver ? 1 : 0,
  );
}
