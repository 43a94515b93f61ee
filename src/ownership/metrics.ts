/** What the data plane finds out about owners, as counters. */
import { Counter, type Registry } from "prom-client";
import { type PinFault, pinFaults } from "../decide/pin.ts";
import type { OwnershipCounts } from "./ownership.ts";

/** @param cutovers the names whose series exist at 0 from the start */
export function createOwnershipCounts(registry: Registry, cutovers: readonly string[]): OwnershipCounts {
  const counter = (name: string, help: string) => {
    const made = new Counter({ name, help, labelNames: ["cutover"], registers: [registry] });
    for (const cutover of cutovers) made.inc({ cutover }, 0);
    return (cutover: string) => made.inc({ cutover });
  };
  return {
    conflict: counter(
      "cutover_ownership_conflicts_total",
      "Requests whose keys have different owners; the first key in config order won.",
    ),
    unknown: counter(
      "cutover_ownership_unknown_total",
      "Requests decided without their owner because the store did not answer in time.",
    ),
    unreadBody: counter(
      "cutover_ownership_unread_bodies_total",
      "Request bodies that gave no key because they exceed 64 KiB or are not JSON in UTF-8.",
    ),
    unrecorded: counter(
      "cutover_ownership_unrecorded_total",
      "Keys whose owner could not be recorded because the store did not answer in time.",
    ),
  };
}

/**
 * @param cutovers the names whose series exist at 0 from the start
 * @returns counts a journey cookie that was ignored
 */
export function createIgnoredPinCount(
  registry: Registry,
  cutovers: readonly string[],
): (cutover: string, fault: PinFault) => void {
  const counter = new Counter({
    name: "cutover_journey_pins_ignored_total",
    help: "Requests whose journey cookie counted as none: malformed, not signed by this cutover, or expired.",
    labelNames: ["cutover", "fault"],
    registers: [registry],
  });
  for (const cutover of cutovers) for (const fault of pinFaults) counter.inc({ cutover, fault }, 0);
  return (cutover, fault) => counter.inc({ cutover, fault });
}
