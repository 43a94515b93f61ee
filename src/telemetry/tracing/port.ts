/** Traces of requests, as the rest of the program knows them: what makes them is loaded where they are configured. */
import type { Witness } from "../../proxy/witness.ts";

export interface Tracing {
  /** Makes the spans of the exchanges that it hears of. */
  readonly witness: Witness;
  /** As of Ids: what the upstream is told; the span that asks it is the parent there. */
  traceparent(inbound: string | undefined): string;
  /** Delivers what is left, for 2 s at most. Never rejects. */
  close(): Promise<void>;
}
