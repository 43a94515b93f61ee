/** A place for the small metrics of rooms, in a process that is not scraped itself. */
import { Registry } from "prom-client";

export function createRegistry(): Registry {
  return new Registry();
}
