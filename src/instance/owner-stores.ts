/**
 * The stores that owners have of their own (`owners.store`), each opened once, however many cutovers name it. One in Redis
 * has a record of each instance, like the store of the states (under `PREFIX:owners`, so that nobody takes it for that
 * one): whoever may not write there, or has fallen silent, is known to all, and absence there is doubted.
 */
import { type Clock, systemTimers, within } from "../base/clock.ts";
import { storeWordOf } from "../base/errors.ts";
import { lockFile } from "../base/file-lock.ts";
import { errorText, type Log } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import { routedStores } from "../ownership/routed-stores.ts";
import { isEmbedded, openOwnershipStores } from "../ownership/stores/open.ts";
import type { OwnershipStores } from "../ownership/stores/port.ts";
import { placeOfStore } from "../redis/url.ts";
import { createHeartbeat } from "../state/follow/contact.ts";
import { type Contact, isDoubtful, type Writing } from "../state/follow/snapshot.ts";
import { openStore } from "../state/store/open.ts";
import type { Store } from "../state/store/port.ts";
import { patiently } from "./sockets.ts";

/** Where the owners of each cutover are, of those that have a store of their own: what tells it from others, and its URL. */
export function ownStores({
  store,
  cutovers,
}: Pick<Config, "store" | "cutovers">): ReadonlyMap<
  string,
  { readonly place: string; readonly url: string }
> {
  const main = placeOfStore(store);
  return new Map(
    Object.entries(cutovers).flatMap(([name, { owners }]) => {
      const { store: url = store } = owners;
      const place = placeOfStore(url);
      return place === main ? [] : [[name, { place, url }] as const];
    }),
  );
}

/** Of the records that instances have in a store of owners. */
export const recordsPrefix = (prefix: string) => `${prefix}:owners`;

interface Routed<Place> {
  /** All stores as one; the main one itself where no cutover has another. */
  readonly stores: OwnershipStores;
  /** Each by what tells it from others: the same in every process of the instance, and nothing secret. */
  readonly places: ReadonlyMap<string, Place>;
  /** The places of the cutovers in force that have one of their own. */
  inForce(): ReadonlyMap<string, Place>;
  /** The cutovers' owners are where this configuration says: in stores that are open already (config/changes.ts). */
  goBy(config: Config): void;
}

/** @param open one of them; `place` tells it from others */
export async function openPlaces<Place extends { readonly stores: OwnershipStores }>(
  config: Config,
  main: OwnershipStores,
  open: (url: string, place: string) => Promise<Place>,
): Promise<Routed<Place>> {
  const places = new Map<string, Place>();
  /** One that is configured no longer is still known: what waits of it goes where it belongs. */
  const byCutover = new Map<string, Place | undefined>();
  let inForce: ReadonlyMap<string, Place> = new Map();
  for (const { place, url } of ownStores(config).values())
    if (!places.has(place)) places.set(place, await open(url, place));
  const goBy = (next: Config) => {
    const named = new Map<string, Place>();
    for (const [name, { place }] of ownStores(next)) {
      const found = places.get(place);
      if (found !== undefined) named.set(name, found);
    }
    for (const name of Object.keys(next.cutovers)) byCutover.set(name, named.get(name));
    inForce = named;
  };
  goBy(config);
  const own = [...places.values()].map(({ stores }) => stores);
  const placeOf = (cutover: string) => byCutover.get(cutover)?.stores;
  const stores = own.length === 0 ? main : routedStores({ main, own, placeOf });
  return { stores, places, inForce: () => inForce, goBy };
}

export interface OwnerStores extends Pick<Routed<OwnersPlace>, "stores" | "goBy"> {
  /** How this instance stands with the store of each cutover's owners, where it has one of its own. */
  contacts(): ReadonlyMap<string, Contact>;
  /** How its writing to each goes, by place; for the workers. */
  writing(): Readonly<Record<string, Writing>>;
}

interface OwnersPlace {
  readonly stores: OwnershipStores;
  contact(): Contact;
  /** One within the process is never out of reach. */
  writing?(): Writing;
}

interface OwnerStoresOptions {
  readonly instance: { readonly id: string; readonly startedAt: string };
  /** The store of the states. */
  readonly main: OwnershipStores;
  /** For how long writes must have been taken before absence is believed again. */
  readonly staleAfterMs: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly undo: (step: () => Promise<void> | void) => void;
}

/** @throws Error when a file of owners cannot be opened */
export async function openOwnerStores(config: Config, options: OwnerStoresOptions): Promise<OwnerStores> {
  const { clock, undo } = options;
  const { stores, places, inForce, goBy } = await openPlaces<OwnersPlace>(
    config,
    options.main,
    async (url, place) => {
      if (!isEmbedded(url)) return openInRedis(url, place, config.prefix, options);
      if (url.startsWith("file:")) {
        const path = `${url.slice("file:".length)}.owners`;
        const lock = await patiently(config.listeners.wait, () => lockFile(path));
        undo(() => lock.release());
      }
      const own = await openOwnershipStores({ url, redis: undefined, prefix: config.prefix, clock });
      undo(() => own.close());
      return { stores: own, contact: () => ({ up: true, stalenessMs: 0 }) };
    },
  );
  return {
    stores,
    goBy,
    contacts: () => new Map([...inForce()].map(([cutover, place]) => [cutover, place.contact()])),
    writing: () =>
      Object.fromEntries(
        [...places].flatMap(([place, { writing }]) => (writing === undefined ? [] : [[place, writing()]])),
      ),
  };
}

/** How long a start waits for its record, and a stop until that is withdrawn. */
const boundMs = 1000;

async function openInRedis(
  url: string,
  place: string,
  prefix: string,
  options: OwnerStoresOptions,
): Promise<OwnersPlace> {
  const { instance, clock, undo } = options;
  const log = saying(options.log, place);
  const { store, redis } = await openStore(url, { prefix: recordsPrefix(prefix), clock, log });
  undo(() => store.close());
  const own = await openOwnershipStores({ url, redis, prefix, clock });
  undo(() => own.close());
  const { write, stop, ...contact } = holdRecord(store, own, { ...options, log });
  await within(boundMs, systemTimers, write()).catch(() => undefined);
  undo(async () => {
    stop();
    await within(boundMs, systemTimers, store.leave(instance.id)).catch(() => undefined);
  });
  const stores = { ...own, isDoubtful: (forMs: number) => isDoubtful(contact.writing(), forMs) };
  return { stores, ...contact };
}

/** Keeps the instance's record there, says when that does not go well, and how it goes. */
function holdRecord(
  store: Pick<Store, "acknowledge" | "roster">,
  own: OwnershipStores,
  { instance, staleAfterMs, clock, log }: OwnerStoresOptions,
) {
  let up = false;
  let answeredMs = clock.monotonic();
  /** Its word, or that there was none; `undefined`: all is well. */
  let said: string | undefined;
  const tellDoubt = () => void own.tellDoubt?.(staleAfterMs()).catch(() => undefined);
  const answered = () => {
    up = true;
    answeredMs = clock.monotonic();
  };
  const heartbeat = createHeartbeat({
    store,
    record: () => ({ ...instance, seenAt: new Date(clock.now()).toISOString(), versions: {}, traffic: {} }),
    clock,
    timers: systemTimers,
    onWritten(isMended) {
      answered();
      if (said !== undefined) log.info({}, "the store of owners takes what is written again");
      said = undefined;
      if (isMended) tellDoubt();
    },
    onFailed(error) {
      const word = storeWordOf(error);
      const now = word ?? "";
      if (said !== now) {
        if (word === undefined) log.warn({ error: errorText(error) }, "the store of owners is out of reach");
        else log.warn({ word }, "the store of owners answers and refuses");
      }
      said = now;
      tellDoubt();
      if (word === undefined) up = false;
      // It may answer what is asked all the same.
      else
        store.roster().then(answered, () => {
          up = false;
        });
    },
  });
  return {
    write: heartbeat.write,
    stop: heartbeat.stop,
    writing: heartbeat.writing,
    contact: (): Contact => ({
      up,
      stalenessMs: clock.monotonic() - answeredMs,
      ...(said === undefined ? {} : heartbeat.refusal()),
    }),
  };
}

/** @returns tells the store in every line */
function saying(log: Log, store: string): Log {
  return {
    info: (fields, text) => log.info({ owners: store, ...fields }, text),
    warn: (fields, text) => log.warn({ owners: store, ...fields }, text),
    error: (fields, text) => log.error({ owners: store, ...fields }, text),
  };
}
