/** What an instance is to the fleet and to its operators: the store, what it follows, the metrics, the secrets. */
import { createJournal } from "../audit/journal.ts";
import { createAuditMetrics } from "../audit/metrics.ts";
import { type Audit, noAudit } from "../audit/port.ts";
import { systemClock, systemTimers } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { createSignal, type Signal } from "../base/signal.ts";
import type { Config } from "../config/schema.ts";
import { type Guard, openGuard } from "../guard/watch/guard.ts";
import { createGuardMetrics } from "../guard/watch/metrics.ts";
import { createTellings, type Tellings } from "../guard/watch/tellings.ts";
import { createGuardCounting, type GuardCounting } from "../guard/window/counting.ts";
import { type OpenedLists, openLists } from "../lists/open.ts";
import { storePatience, waitForLists } from "../lists/wait.ts";
import { createWebhookCounts } from "../notify/metrics.ts";
import { type Notifier, openNotifier } from "../notify/notifier.ts";
import { createExposure, type ExposureWatch } from "../ownership/exposure/exposure.ts";
import { createExpiredCounts } from "../ownership/metrics.ts";
import { openOwnershipStores } from "../ownership/stores/open.ts";
import type { OwnershipStores } from "../ownership/stores/port.ts";
import { createFiguresUnderWay, type FiguresUnderWay } from "../ownership/under-way/figures.ts";
import { cohortStarts } from "../proxy/cohorts/cohorts.ts";
import { createJourneySecrets, type JourneySecrets } from "../proxy/secrets.ts";
import { createFollower, type Follower, type FollowerOptions } from "../state/follow/follow.ts";
import { createPropagation } from "../state/follow/propagation.ts";
import { createRoll, type Roll } from "../state/follow/roll.ts";
import { createSnapshotFile, type SnapshotFile } from "../state/follow/snapshot-file.ts";
import { createLeaderships, type Leaderships } from "../state/leading/leaderships.ts";
import type { InstanceProfile } from "../state/rules/completion.ts";
import { createStoreCounts } from "../state/store/metrics.ts";
import { nameOfStore, openStore } from "../state/store/open.ts";
import type { Store } from "../state/store/port.ts";
import { createMetrics, type Metrics, watchRollbacks } from "../telemetry/metrics.ts";
import { createTraffic, type Traffic } from "../telemetry/traffic/traffic.ts";
import { type OwnerStores, openOwnerStores } from "./owner-stores.ts";
import { questionsUnderWay, withJourneys } from "./plane/questions.ts";
import { showInstance } from "./shown/shown.ts";
import { patiently } from "./sockets.ts";
import {
  exposuresOf,
  fixedNamesOf,
  journeySecretsOf,
  routesOf,
  watchedOver,
  whenStale,
} from "./witnesses.ts";

interface ControlOptions {
  readonly instance: { readonly id: string; readonly startedAt: string };
  readonly version: string;
  /** The configuration in force. */
  readonly config: () => Config;
  /** The versions the instance decides by, where workers decide; as the follower takes it. */
  readonly versions: FollowerOptions["versions"] | undefined;
  /** What a person finds the instance by, for its record. */
  readonly profile: () => InstanceProfile;
  readonly logLinesDropped: () => number;
  readonly log: Log;
  /** Takes what undoes a step, to be done last first. */
  readonly undo: (step: () => Promise<void> | void) => void;
}

export interface Control {
  readonly store: Store;
  readonly ownershipStores: OwnershipStores;
  /** Those of them that owners have of their own. */
  readonly ownerStores: OwnerStores;
  readonly lists: OpenedLists;
  readonly follower: Follower;
  /** Who is known of the fleet. */
  readonly roll: Roll;
  readonly metrics: Metrics;
  readonly traffic: Traffic;
  readonly secrets: JourneySecrets;
  /** A journey secret has changed by itself. */
  readonly secretsChanged: Signal<[]>;
  readonly audit: Audit;
  /** What this instance leads. */
  readonly leaderships: Leaderships;
  readonly guard: Guard;
  /** What this instance tells of each guarded cutover. */
  readonly tellings: Tellings;
  /** What this process counts for it. */
  readonly guardCounting: GuardCounting;
  /** The money at risk. */
  readonly exposure: ExposureWatch;
  readonly notifier: Notifier;
  /** What this instance says of itself. */
  readonly profile: () => InstanceProfile;
  /** Reads what is under way in the fleet. */
  readonly underWay: () => Promise<FiguresUnderWay>;
}

/** @throws Error when the embedded store cannot be opened */
export async function openControl(config: Config, options: ControlOptions): Promise<Control> {
  const { main, snapshotFile, store, storeCounts, lists } = await openStores(config, options);
  const ownerStores = await openOwnerStores(config, {
    ...options,
    main,
    staleAfterMs: () => options.config().staleAfter,
    clock: systemClock,
  });
  const ownershipStores = ownerStores.stores;
  const traffic = createTraffic({ cutovers: Object.keys(config.cutovers), clock: systemClock });
  const tellDoubt = () => void main.tellDoubt?.(options.config().staleAfter).catch(() => undefined);
  const roll = createRoll(systemClock);
  const propagation = createPropagation(roll);
  const profile = () => ({ ...options.profile(), tookMs: propagation.took() });
  const led = createSignal<[]>();
  const leading = { store, instance: options.instance.id, roll, onChange: led.tell };
  const leaderships = createLeaderships({ ...leading, clock: systemClock, log: options.log });
  const guardCounting = createGuardCounting(systemClock);
  const tellings = createTellings(config, { counting: guardCounting, storeMs: roll.nowMs });
  const followed = { store, snapshotFile, traffic, tellDoubt, roll, profile, leaderships, tellings };
  const { follower, metrics } = createFollowing(config, options, followed);
  const isInReach = (cutover: string) => (ownerStores.contacts().get(cutover) ?? follower.contact()).up;
  const expired = createExpiredCounts(metrics.registry);
  expired.configure(withJourneys(config));
  const underWay = createFiguresUnderWay(
    ownershipStores.underWay,
    () => questionsUnderWay(options.config(), follower.current()),
    isInReach,
    expired.expired,
  );
  const exposure = createExposure({ ...ownershipStores, clock: systemClock, timers: systemTimers });
  options.undo(() => exposure.close());
  void exposure.follow(exposuresOf(config));
  options.undo(() => follower.stop());
  await follower.start();
  follower.onSwap(propagation.saw);
  led.hear(follower.announce);
  options.undo(() => leaderships.stop());
  leaderships.configure(watchedOver(config));
  follower.onSwap(watchRollbacks(metrics));
  const shown = {
    store,
    storeCounts,
    ownerStores,
    follower,
    roll,
    propagation,
    underWay,
    isInReach,
    exposure,
  };
  showInstance(metrics, options, shown);
  const audit = openAudit(config, options, { store, follower, metrics });
  const { secrets, secretsChanged } = await openSecrets(config, options, { store, snapshotFile });
  const watching = { instance: options.instance.id, store, follower, roll, leaderships, tellings, audit };
  const [{ leader }, { spool: folder }] = [leaderships, config];
  const counts = createWebhookCounts(metrics.registry);
  const telling = { instance: options.instance.id, follower, leader, folder, counts };
  const notifier = await openNotifier(config, { ...telling, clock: systemClock, log: options.log });
  options.undo(() => notifier.stop());
  const guardMetrics = createGuardMetrics(metrics.registry);
  const judged = notifier.alsoJudged(guardMetrics.judged);
  const guard = openGuard(config, {
    ...{ ...watching, metrics: { ...guardMetrics, judged }, announce: follower.announce },
    ...{ timers: systemTimers, clock: systemClock, log: options.log },
  });
  options.undo(() => guard.stop());
  return {
    ...{ store, ownershipStores, ownerStores, lists, follower, roll, metrics, traffic },
    ...{ secrets, secretsChanged, audit, leaderships, tellings, guard, guardCounting },
    ...{ exposure, notifier, underWay, profile },
  };
}

async function openStores(config: Config, { config: inForce, log, undo }: ControlOptions) {
  const clock = systemClock;
  const { prefix, snapshot } = config;
  const { store: opened, redis } = await patiently(config.listeners.wait, () =>
    openStore(config.store, { prefix, clock, log, starts: (name) => cohortStarts(inForce(), name) }),
  );
  const storeCounts = createStoreCounts();
  const store = storeCounts.counted(opened);
  undo(() => store.close());
  const main = await openOwnershipStores({ url: config.store, redis, prefix, clock });
  undo(() => main.close());
  const name = nameOfStore(config.store, prefix);
  const snapshotFile =
    snapshot === undefined ? undefined : createSnapshotFile({ path: snapshot, store: name, clock, log });
  if (snapshotFile !== undefined) undo(() => snapshotFile.settled());
  const lists = await openLists({
    ...{ url: config.store, redis, prefix, snapshot },
    ...{ clock, timers: systemTimers, log },
  });
  undo(() => lists.keeper.stop());
  lists.keeper.follow(Object.keys(config.lists));
  await waitForLists(lists.keeper, systemTimers, storePatience);
  return { store, storeCounts, main, snapshotFile, lists };
}

interface Followed {
  readonly store: Store;
  readonly snapshotFile: SnapshotFile | undefined;
}

interface FollowedWith extends Followed, Pick<Control, "traffic" | "roll" | "profile"> {
  readonly leaderships: Pick<Leaderships, "forRecord">;
  readonly tellings: Pick<Tellings, "forRecord">;
  /** Tells every instance that this one cannot record. */
  readonly tellDoubt: () => void;
}

/** The follower counts what it refuses in the metrics, and the metrics show how it stands with the store. */
function createFollowing(
  config: Config,
  options: ControlOptions,
  followed: FollowedWith,
): Pick<Control, "follower" | "metrics"> {
  const { store, snapshotFile, traffic, tellDoubt, roll, profile, leaderships, tellings } = followed;
  const { instance, version, versions, log, logLinesDropped } = options;
  const rejected = createSignal<[cutover: string]>();
  const regressed = createSignal<[cutover: string]>();
  const follower = createFollower({
    store,
    names: Object.keys(config.cutovers),
    instance,
    ...(versions === undefined ? {} : { versions }),
    traffic: () => traffic.snapshot(),
    starts: (name) => cohortStarts(options.config(), name),
    whenStale: () => whenStale(options.config()),
    profile: () => ({ ...profile(), ...leaderships.forRecord(), ...tellings.forRecord() }),
    onRoster: roll.saw,
    clock: systemClock,
    log,
    snapshotFile,
    onRejected: rejected.tell,
    onRegressed: regressed.tell,
    onDoubtful: tellDoubt,
  });
  const metrics = createMetrics({
    cutovers: routesOf(config),
    fixed: fixedNamesOf(config),
    version,
    contact: () => follower.contact(),
    logLinesDropped,
    traffic,
  });
  rejected.hear(metrics.rejected);
  regressed.hear(metrics.regressed);
  follower.onSwap((snapshot) => {
    for (const [name, state] of snapshot.states) metrics.setState(name, state);
  });
  return { follower, metrics };
}

async function openSecrets(
  config: Config,
  { undo }: ControlOptions,
  { store, snapshotFile }: Followed,
): Promise<Pick<Control, "secrets" | "secretsChanged">> {
  const secretsChanged = createSignal<[]>();
  const secrets = createJourneySecrets({
    store,
    timers: systemTimers,
    configured: journeySecretsOf(config),
    kept: (await snapshotFile?.read())?.shared ?? new Map(),
    keep: (name, secret) => snapshotFile?.keepShared(name, secret),
    onChange: secretsChanged.tell,
  });
  undo(() => secrets.stop());
  await secrets.start();
  return { secrets, secretsChanged };
}

function openAudit(
  { audit: path }: Config,
  { instance, log, undo }: ControlOptions,
  { store, follower, metrics }: Pick<Control, "store" | "follower" | "metrics">,
): Audit {
  if (path === undefined) return noAudit;
  const journal = createJournal({ path, instance: instance.id, store, follower, clock: systemClock, log });
  undo(() => journal.close());
  createAuditMetrics(metrics.registry, journal.status);
  return journal;
}

/** Who signals the process. */
const breaker = { name: "SIGUSR1", role: "responder" } as const;

/** Rolls back these cutovers on this instance alone; in force in this process when it returns. */
export function breakGlass({ follower, audit }: Control, names: readonly string[], log: Log): void {
  for (const name of names) {
    const asked = { name, actor: breaker, reason: "SIGUSR1" } as const;
    const applied = follower.makeLocally({ ...asked, action: "rollback" });
    const told = { ...asked, change: { action: "rollback" }, origin: { via: "local" } } as const;
    if (applied.accepted) {
      audit.madeLocally({ ...told, stands: applied.state });
      continue;
    }
    audit.refused({ ...told, code: applied.code, stands: applied.state });
    log.error({ cutover: name, code: applied.code }, "not rolled back by SIGUSR1");
  }
}
