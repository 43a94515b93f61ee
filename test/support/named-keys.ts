/** Keys as stores of owners take them. */
import type { NamedKey } from "../../src/ownership/stores/port.ts";

/** A key whose owner is learned, such as an order's number. */
export const fact = (key: string): NamedKey => ({ key, claimed: false });
/** A key that is claimed by its first use, such as an idempotency key. */
export const claim = (key: string): NamedKey => ({ key, claimed: true });
