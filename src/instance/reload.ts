/**
 * The configuration read again. It is swapped whole or not at all: what is wrong with the new one, or cannot change
 * while the instance runs, is logged, and the one in force stays.
 */
import { loadIssuers } from "../admin/access/gate.ts";
import type { AdminServer } from "../admin/server.ts";
import { systemTimers } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { errorText, type Log } from "../base/log.ts";
import { changedKeys, keysForNextStart, lastingDifferences } from "../config/changes.ts";
import type { LoadedConfig, LoadResult } from "../config/load/load.ts";
import type { Config } from "../config/schema.ts";
import { storePatience, waitForLists } from "../lists/wait.ts";
import { asksForDocuments } from "../proxy/request/choice/documents.ts";
import { loadParser } from "../proxy/request/choice/parser.ts";
import { loadHttpProxy } from "../proxy/upstream/http-proxy/engine.ts";
import type { Counting } from "../telemetry/requests/counting.ts";
import type { Control } from "./control.ts";
import type { Prepared } from "./data-plane.ts";
import { exposuresOf, fixedNamesOf, journeySecretsOf, routesOf, watchedOver } from "./witnesses.ts";

interface ReloadOptions {
  readonly read: () => Promise<LoadResult>;
  readonly config: () => Config;
  /** The configuration is in force now. */
  readonly onSwap: (config: Config) => void;
  readonly control: Control;
  /** Has what serves build it. @throws Error when it cannot be built; the counting has ended then */
  readonly prepare: (loaded: LoadedConfig, counting: Counting) => Prepared | Promise<Prepared>;
  /** The journey secrets are those of the configuration in force. */
  readonly onSecrets: () => void;
  readonly admin: Pick<AdminServer, "reconfigure">;
  /** The configuration was read again, and is in force or was not taken. */
  readonly onRead: (isInForce: boolean) => void;
  readonly log: Log;
}

const kept = "the configuration was not changed: the one in force stays";

/** @returns what reads and swaps, one at a time; it resolves when that is done and never rejects */
export function createReload(options: ReloadOptions): () => Promise<void> {
  const { read, config, onSwap, control, prepare, onSecrets, admin, onRead, log } = options;
  const { follower, metrics, traffic, secrets, ownerStores, lists, guard, leaderships, exposure, notifier } =
    control;
  /** The counting of the configuration in force. */
  let counting = metrics.counting;

  return coalesce(async () => {
    onRead(await readAndSwap());
  });

  /** @returns whether what was read is in force */
  async function readAndSwap(): Promise<boolean> {
    try {
      const loaded = await read();
      if (!loaded.ok) {
        for (const { message, ...place } of loaded.problems) log.error({ ...place, problem: message }, kept);
        return false;
      }
      const refused = lastingDifferences(config(), loaded.config);
      for (const problem of refused) log.error({ file: loaded.source.file, problem }, kept);
      if (refused.length > 0) return false;
      for (const { message, ...place } of loaded.warnings)
        log.warn({ ...place, warning: message }, "warning");
      const told = toldOf(config(), loaded.config);
      await loadRooms(loaded.config);
      await swap(loaded);
      log.info(
        { file: loaded.source.file, cutovers: Object.keys(loaded.config.cutovers), ...told },
        "configuration swapped",
      );
      return true;
    } catch (error) {
      log.error({ problem: errorText(error) }, kept);
      return false;
    }
  }

  async function swap(loaded: LoadedConfig): Promise<void> {
    const before = { config: config(), counting };
    const next = loaded.config;
    const both = [...new Set([before.config, next].flatMap(({ cutovers }) => Object.keys(cutovers)))];
    traffic.reconfigure(both);
    const nextCounting = metrics.count(routesOf(next), fixedNamesOf(next));
    try {
      await follower.follow(both);
      await secrets.reconfigure(journeySecretsOf(next));
      ownerStores.goBy(next);
      lists.keeper.follow([...new Set([...Object.keys(before.config.lists), ...Object.keys(next.lists)])]);
      await waitForLists(lists.keeper, systemTimers, storePatience);
      const prepared = await prepare(loaded, nextCounting);
      prepared.commit();
      goBy(next, nextCounting);
    } catch (error) {
      nextCounting.end();
      ownerStores.goBy(before.config);
      await secrets.reconfigure(journeySecretsOf(before.config));
      goBy(before.config, before.counting);
      throw error;
    } finally {
      onSecrets();
      await follower.follow(Object.keys(config().cutovers));
    }
  }

  function goBy(now: Config, countingOfIt: Counting): void {
    onSwap(now);
    counting = countingOfIt;
    metrics.show(counting);
    traffic.reconfigure(Object.keys(now.cutovers));
    lists.keeper.follow(Object.keys(now.lists));
    leaderships.configure(watchedOver(now));
    guard.configure(now);
    void exposure.follow(exposuresOf(now));
    notifier.configure(now);
    admin.reconfigure(now);
  }
}

const mostKeysTold = 50;

/** The keys that changed, those of them that wait for a start apart: never a value, which may be a secret. */
function toldOf(now: Config, next: Config) {
  const atNextStart = keysForNextStart(now, next);
  const changed = changedKeys(now, next).filter((key) => !atNextStart.includes(key));
  const omitted = changed.length - mostKeysTold;
  return {
    changed: changed.slice(0, mostKeysTold),
    ...(omitted > 0 ? { changedMore: omitted } : {}),
    ...(atNextStart.length === 0 ? {} : { atNextStart }),
  };
}

/**
 * What only some configurations need of the program is loaded before one of them is in force: the program may have been
 * replaced since this process began, and then some of it is not there any more.
 *
 * @throws Error when it cannot be loaded
 */
async function loadRooms({ engine, auth, cutovers }: Config): Promise<void> {
  if (asksForDocuments({ cutovers })) await loadParser();
  if (engine === "http-proxy") await loadHttpProxy();
  if (auth !== "none" && auth.oidc !== undefined) await loadIssuers(auth.oidc);
}
