/** The store for tests and trials: holds everything in this process and forgets it at the end. */

import type { Clock } from "../../base/clock.ts";
import { emptyDocument } from "./document.ts";
import { createInProcessStore } from "./in-process.ts";
import type { Store } from "./port.ts";

/** @returns an empty store of its own */
export function createMemoryStore(options: { readonly clock: Clock }): Store {
  return createInProcessStore({ kind: "memory", clock: options.clock, document: emptyDocument });
}
