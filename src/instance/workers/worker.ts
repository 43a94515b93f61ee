/**
 * A worker: it serves requests on the listener it shares with the others, decides by what its primary tells it, and
 * hands over what it counts. It goes by the primary alone: signals are the primary's to hear, and a primary that is
 * gone takes it along (node:cluster).
 */
import { systemClock, systemTimers } from "../../base/clock.ts";
import { codeOf } from "../../base/errors.ts";
import { errorText, type Log } from "../../base/log.ts";
import { type ConfigSource, type LoadedConfig, readConfig } from "../../config/load/load.ts";
import type { Config } from "../../config/schema.ts";
import { createGuardCounting } from "../../guard/window/counting.ts";
import { createListKeeper, type ListKeeper } from "../../lists/keeper.ts";
import { waitForLists } from "../../lists/wait.ts";
import { createExposure } from "../../ownership/exposure/exposure.ts";
import { isEmbedded, openOwnershipStores } from "../../ownership/stores/open.ts";
import type { OwnershipStores } from "../../ownership/stores/port.ts";
import { openStore } from "../../state/store/open.ts";
import { createLog } from "../../telemetry/log.ts";
import { openLogFile } from "../../telemetry/log-file.ts";
import type { RequestCounts } from "../../telemetry/requests/counting.ts";
import type { Prepared } from "../data-plane.ts";
import { openPlaces } from "../owner-stores.ts";
import { type Drain, faultsTo, openServing, type Serving } from "../serving.ts";
import { fixedNamesOf, routesOf } from "../witnesses.ts";
import { createTaughtFollowing, type TaughtFollowing } from "./following.ts";
import type { Link } from "./link.ts";
import { askingLists } from "./lists.ts";
import { protocol, reportEveryMs, type Start, type ToWorker } from "./messages.ts";
import { createWorkerCounts } from "./metrics.ts";
import { askingStores } from "./ownership.ts";
import { sharingStores } from "./sharing.ts";

/** How long a worker waits for its lists: it is waited for 30 seconds, to listen as to prepare. */
const listsMs = 20_000;

/** Waits for the primary's word, then serves until it is told to drain. @param end ends the process */
export function runWorker(link: Link, end: () => void): void {
  void link.send({ type: "booted" });
  link.onMessage((message) => {
    if (message.type !== "start") return;
    serve(link, message, end).catch((error: unknown) => {
      const code = codeOf(error);
      const failed = { type: "failed", message: errorText(error) } as const;
      void link.send(code === undefined ? failed : { ...failed, code });
    });
  });
}

async function serve(link: Link, start: Start, end: () => void): Promise<void> {
  if (start.protocol !== protocol) {
    throw new Error(
      "this release cannot serve under the running primary: restart the whole process to upgrade",
    );
  }
  const { following, secrets, decidesBy, obey } = hearPrimary(link, start);
  const loaded = loadedFrom(start.source);
  const { config } = loaded;
  const lines = openLogFile(start.logPath, true);
  const log = createLog({ level: start.logLevel, destination: lines, fields: { worker: start.worker } });
  const { ownershipStores, goBy, close: closeStores } = await openStores(config, link, following, log);
  const lists = createListKeeper({
    source: askingLists(link.ask),
    timers: systemTimers,
    clock: systemClock,
    log,
  });
  lists.follow(Object.keys(config.lists));
  // Since the process began: so that it listens before its primary gives it up.
  const forMs = Math.max(1000, listsMs - performance.now());
  await waitForLists(lists, systemTimers, { forMs, isNear: true });
  const guardCounting = createGuardCounting(systemClock);
  const counts = createWorkerCounts(lines, guardCounting);
  const serving = await openServing(config, counts.requests.count(routesOf(config), fixedNamesOf(config)), {
    id: `${start.instance}-${start.worker}`,
    instance: start.instance,
    at: start.at,
    following,
    ownershipStores: sharingStores(ownershipStores, link, start.owners),
    secrets,
    lists,
    registry: counts.registry,
    guardCounting,
    exposure: createExposure({ ...ownershipStores, clock: systemClock, timers: systemTimers }),
    lines,
    logsAccess: start.accessLog,
    log,
    tellClaims: (spent) => void link.send({ type: "spent", ...spent }),
  });
  const port = await serving.listen();
  /** @param seq of the `collect` that asks for it */
  async function report(seq?: number): Promise<void> {
    const figures = await counts.take();
    await link.send({ type: "report", ...(seq === undefined ? {} : { seq }), ...figures });
  }
  const reporting = setInterval(() => void report(), reportEveryMs);

  async function drain(how: Drain): Promise<void> {
    await serving.drain(how);
    clearInterval(reporting);
    await serving.close();
    await lists.stop();
    await closeStores();
    await lines.end();
    await report();
    end();
  }
  const change = createChanges(link, serving, counts.requests, { config, goBy, lists });
  void link.send({ type: "following", ...decidesBy() });
  void link.send({ type: "listening", port });
  obey((message) => {
    if (message.type === "spent") serving.budget.hear(message);
    else if (message.type === "key") {
      const { seq, question } = message;
      void serving.lookAtKey(question).then((known) => link.send({ type: "key", seq, known }));
    } else if (message.type === "collect") void report(message.seq);
    else if (message.type === "drain") {
      drain(message.drain).catch(faultsTo(log));
    } else change(message);
  });
}

/** What the primary says, from now on: it is in force at once, and orders wait until somebody obeys them. */
function hearPrimary(link: Link, start: Start) {
  const following = createTaughtFollowing(systemClock);
  let { secrets } = start;
  let decidesBy = following.teach(start.snapshot);
  following.hear(start.contact);
  const waiting: ToWorker[] = [];
  let carryOut = (message: ToWorker): void => void waiting.push(message);

  link.onMessage((message) => {
    if (message.type === "snapshot") {
      decidesBy = following.teach(message.snapshot);
      void link.send({ type: "following", ...decidesBy });
    } else if (message.type === "contact") following.hear(message.contact);
    else if (message.type === "secrets") secrets = message.secrets;
    else carryOut(message);
  });
  return {
    following,
    secrets: { of: (cutover: string) => secrets[cutover] ?? [] },
    decidesBy: () => decidesBy,
    /** Hands over the orders that wait, and each that comes. */
    obey(order: (message: ToWorker) => void): void {
      carryOut = order;
      for (const message of waiting.splice(0)) order(message);
    },
  };
}

/** What goes by a configuration beside what serves. */
interface GoneBy {
  /** The one in force. */
  config: Config;
  readonly goBy: (config: Config) => void;
  readonly lists: Pick<ListKeeper, "follow" | "refresh">;
}

/** What the primary says of another configuration. Until it is in force, and where it never comes to be, the one before holds. */
export function createChanges(
  link: Pick<Link, "send">,
  serving: Pick<Serving, "prepare">,
  requests: Pick<RequestCounts, "count">,
  goneBy: GoneBy,
): (message: ToWorker) => void {
  const { goBy, lists } = goneBy;
  let prepared: { readonly config: Config; readonly plane: Prepared } | undefined;

  async function prepare(source: ConfigSource): Promise<void> {
    const loaded = loadedFrom(source);
    const { config } = loaded;
    goBy(config);
    lists.follow([...new Set([goneBy.config, config].flatMap((each) => Object.keys(each.lists)))]);
    await waitForLists(lists, systemTimers, { forMs: listsMs, isNear: true });
    const plane = serving.prepare(loaded, requests.count(routesOf(config), fixedNamesOf(config)));
    prepared = { config, plane };
    void link.send({ type: "prepared" });
  }
  function settle(inForce: Config): void {
    goneBy.config = inForce;
    goBy(inForce);
    lists.follow(Object.keys(inForce.lists));
    prepared = undefined;
  }

  return (message) => {
    if (message.type === "prepare") {
      prepare(message.source).catch((error: unknown) => {
        void link.send({ type: "prepared", problem: errorText(error) });
      });
    } else if (message.type === "commit" && prepared !== undefined) {
      prepared.plane.commit();
      settle(prepared.config);
    } else if (message.type === "discard") {
      prepared?.plane.discard();
      settle(goneBy.config);
    }
  };
}

/** Reads the configuration again from the bytes the primary accepted. @throws Error when this release refuses them */
function loadedFrom({ file, text }: ConfigSource): LoadedConfig {
  const loaded = readConfig(Buffer.from(text), file, process.env);
  if (loaded.ok) return loaded;
  const [first] = loaded.problems;
  throw new Error(
    `the configuration is not this release's: ${first?.path ?? ""} ${first?.message ?? ""}`.trim(),
  );
}

/** Redis is asked directly; what an embedded store holds is the primary's to tell. */
async function openStores(
  config: Config,
  link: Link,
  following: Pick<TaughtFollowing, "isDoubtfulAt">,
  log: Log,
): Promise<{
  readonly ownershipStores: OwnershipStores;
  goBy(config: Config): void;
  close(): Promise<void>;
}> {
  const clock = systemClock;
  const { prefix } = config;
  const closing: (() => Promise<void>)[] = [];
  const open = async (url: string): Promise<OwnershipStores> => {
    if (isEmbedded(url)) return askingStores(link.ask, clock, link.onMessage);
    const { store, redis } = await openStore(url, { prefix, clock, log });
    closing.push(() => store.close());
    return openOwnershipStores({ url, redis, prefix, clock });
  };
  const main = await open(config.store);
  const { stores: ownershipStores, goBy } = await openPlaces(config, main, async (url, place) => {
    const stores = await open(url);
    const isDoubtful = (forMs: number) => following.isDoubtfulAt(place, forMs);
    return { stores: isEmbedded(url) ? stores : { ...stores, isDoubtful } };
  });
  return {
    ownershipStores,
    goBy,
    async close() {
      await ownershipStores.close();
      await Promise.all(closing.map((close) => close()));
    },
  };
}
