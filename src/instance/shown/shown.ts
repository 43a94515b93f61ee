/** What an instance shows of itself, of the fleet and of its stores, beside what it counts of requests. */
import { systemClock } from "../../base/clock.ts";
import type { Config } from "../../config/schema.ts";
import type { ExposureWatch } from "../../ownership/exposure/exposure.ts";
import { showExposure } from "../../ownership/exposure/metrics.ts";
import { createUnderWayGauges, showOwnerStores } from "../../ownership/metrics.ts";
import { createDoubtGauges } from "../../ownership/past/metrics.ts";
import type { FiguresUnderWay } from "../../ownership/under-way/figures.ts";
import { cohortStarts } from "../../proxy/cohorts/cohorts.ts";
import type { Propagation } from "../../state/follow/propagation.ts";
import type { Roll } from "../../state/follow/roll.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import type { InstanceProfile } from "../../state/rules/completion.ts";
import type { StoreCounts } from "../../state/store/metrics.ts";
import type { Store } from "../../state/store/port.ts";
import { addCertificateMetrics, type CertificateInUse } from "../../telemetry/certificate-metrics.ts";
import { addFleetMetrics } from "../../telemetry/fleet-metrics.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { addProcessMetrics } from "../../telemetry/process-metrics.ts";
import { addProfileMetrics } from "../../telemetry/profile-metrics.ts";
import { addStandingMetrics } from "../../telemetry/standing-metrics.ts";
import type { OwnerStores } from "../owner-stores.ts";
import { withKeys } from "../plane/questions.ts";
import { exposuresOf } from "../witnesses.ts";

interface ShownOptions {
  readonly instance: { readonly id: string };
  /** In force. */
  readonly config: () => Config;
  readonly profile: () => InstanceProfile;
}

interface Shown {
  readonly store: Pick<Store, "proposal">;
  readonly storeCounts: StoreCounts;
  readonly ownerStores: OwnerStores;
  readonly follower: Following;
  readonly roll: Roll;
  readonly propagation: Pick<Propagation, "onTook">;
  readonly underWay: () => Promise<FiguresUnderWay>;
  /** Whether the store of the cutover's owners is asked now. */
  readonly isInReach: (cutover: string) => boolean;
  readonly exposure: Pick<ExposureWatch, "standing">;
}

/** To be called when the instance follows: what it found at its start counts as no change. */
export function showInstance(
  { registry }: Pick<Metrics, "registry">,
  options: ShownOptions,
  shown: Shown,
): void {
  const { instance, config, profile } = options;
  const { store, storeCounts, ownerStores, follower: following, roll, propagation, isInReach } = shown;
  addProcessMetrics(registry);
  addProfileMetrics(registry, instance.id, profile);
  addCertificateMetrics(registry, () => certificatesOf(config()));
  storeCounts.show(registry);
  showOwnerStores(registry, ownerStores.contacts);
  addStandingMetrics(registry, {
    following,
    starts: (name) => cohortStarts(config(), name),
    clock: systemClock,
  });
  addFleetMetrics(registry, {
    ...{ following, roll, propagation, clock: systemClock },
    approved: () => approvedIn(config()),
    proposal: (name) => store.proposal(name),
  });
  createUnderWayGauges(registry, shown.underWay, systemClock.now);
  createDoubtGauges(registry, {
    cutovers: () => withKeys(config()).filter(isInReach),
    store: ownerStores.stores.past,
    now: systemClock.now,
  });
  showExposure(registry, shown.exposure, () => exposuresOf(config()).keys());
}

/** The cutovers in which a change may wait for another person. */
function approvedIn({ cutovers }: Pick<Config, "cutovers">): string[] {
  return Object.entries(cutovers).flatMap(([name, { approval }]) => (approval === undefined ? [] : name));
}

/** The certificates that an instance shows, to clients and to upstreams. */
function certificatesOf({
  listeners: { proxy, admin },
  upstreams,
}: Pick<Config, "listeners" | "upstreams">): CertificateInUse[] {
  const of = (usedBy: string, path: string | undefined) => (path === undefined ? [] : [{ usedBy, path }]);
  return [
    ...[proxy.tls ?? []].flat().flatMap(({ cert }) => of("proxy", cert)),
    ...of("admin", admin.tls?.cert),
    ...Object.entries(upstreams).flatMap(([name, { tls }]) => of(`upstream ${name}`, tls?.cert)),
  ];
}
