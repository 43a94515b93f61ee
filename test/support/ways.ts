/** The way to an upstream that lets everybody in, and what is relayed to it where nothing is said of that. */
import { createAdmission, type Way } from "../../src/proxy/upstream/admission.ts";
import type { Upstream } from "../../src/proxy/upstream/port.ts";
import { createSlots } from "../../src/proxy/upstream/slots.ts";

export function wayTo(engine: Upstream, upgrades = engine): Way {
  const slots = createSlots({ max: Number.POSITIVE_INFINITY, queue: 0, waitMs: 0 });
  const admission = createAdmission({ slots, breaker: undefined, onShed: () => {}, onRepeated: () => {} });
  return { admission, engine, upgrades };
}

export const relayContext = {
  proxyName: "cutover-test",
  clock: { now: () => 0, monotonic: () => 0 },
  droppedCookie: () => undefined,
};

export const plainMarking = {
  host: undefined,
  onRequest: undefined,
  onAnswer: true,
  clientAddress: [],
  replaces: undefined,
  cookies: undefined,
} as const;
