/**
 * The primary's half of an instance with workers: it holds the port and whatever the instance is to the outside, tells
 * the workers by what they serve, and takes in what they count.
 */
import { systemClock, systemTimers, within } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import type { Log } from "../../base/log.ts";
import type { ConfigSource, LoadedConfig } from "../../config/load/load.ts";
import type { Config } from "../../config/schema.ts";
import { knownOfAll } from "../../ownership/key-desk.ts";
import { createOwnerMemory } from "../../ownership/owner-memory.ts";
import { createOwnership } from "../../ownership/ownership.ts";
import { createPins } from "../../ownership/pins.ts";
import type { OwnershipStores } from "../../ownership/stores/port.ts";
import type { ListenAt } from "../../proxy/listen/server.ts";
import { compileTable, type Table } from "../../proxy/routes.ts";
import { ticketsOwner } from "../../proxy/secrets.ts";
import { unreachableWays } from "../../proxy/upstream/open.ts";
import type { Writing } from "../../state/follow/snapshot.ts";
import type { LogLevel } from "../../telemetry/log.ts";
import type { Counting } from "../../telemetry/requests/counting.ts";
import type { Control } from "../control.ts";
import type { Prepared } from "../data-plane.ts";
import type { Serving } from "../serving.ts";
import { answerOfLists, isListQuestion } from "./lists.ts";
import { hostMs, protocol, reportEveryMs, type SharedOwner, type Start, type ToWorker } from "./messages.ts";
import { createWorkerSum } from "./metrics.ts";
import { answerFrom, tellPins } from "./ownership.ts";
import { createPool, type Pool } from "./pool.ts";
import { createSharing } from "./sharing.ts";
import type { WorkerVersions } from "./versions.ts";

interface WorkersOptions {
  readonly size: number;
  readonly program: string;
  /** The instance's id. */
  readonly instance: string;
  readonly at: ListenAt;
  readonly config: Config;
  readonly source: ConfigSource;
  readonly control: Pick<
    Control,
    "follower" | "secrets" | "ownershipStores" | "ownerStores" | "lists" | "metrics" | "traffic" | "tellings"
  >;
  /** What the workers tell of their versions is kept there. */
  readonly versions: WorkerVersions;
  readonly logging: {
    readonly level: LogLevel;
    readonly accessLog: boolean;
    readonly path: string | undefined;
  };
  readonly onLogLinesDropped: (more: number) => void;
  readonly log: Log;
  /** No worker is left, and none can be started; as the pool says it. */
  readonly onLost: () => void;
}

/** Serving in workers; an error of `listen` may be that a worker cannot start. */
export interface Workers extends Omit<Serving, "prepare" | "budget"> {
  /** Has all workers build it. @throws Error when one cannot: then none keeps it */
  prepare(loaded: LoadedConfig, counting: Counting): Promise<Prepared>;
  /** The lowest versions that a worker decides by. */
  versions(): Readonly<Record<string, number>>;
  /** Resolves when every worker decides by what the follower had when this was called. */
  inForce(): Promise<void>;
  /** Whether at least one accepts connections. */
  serves(): boolean;
  /** Resolves when all that was counted so far is in the metrics, or soon after. */
  collect(): Promise<void>;
  /** Tells the journey secrets, which have changed. */
  tellSecrets(): void;
  /** Replaces the workers one after the other. */
  restart(): Promise<void>;
}

/** How long a scrape waits for a worker that does not answer. */
const collectMs = 250;

/** What the workers serve by. The primary shows the counts of it and counts nothing on them. */
interface InForce {
  config: Config;
  source: ConfigSource;
  counting: Counting;
  /** It is asked for decisions; no request goes by it. */
  table: Table;
}

export function createWorkers(options: WorkersOptions): Workers {
  const { config, source, control, versions, log } = options;
  const { follower, metrics, ownershipStores } = control;
  const { counting } = metrics;
  const inForce: InForce = { config, source, counting, table: tableOf(config, control) };
  const sharing = createSharing(() => pool.members());
  const told = createTold(options, inForce, sharing.known);
  const sum = createWorkerSum({ ...control, onLogLinesDropped: options.onLogLinesDropped });
  const pool = createPool({
    size: options.size,
    program: options.program,
    first(worker) {
      versions.hears(worker);
      return told.start(worker);
    },
    log,
    onLost: options.onLost,
    events: {
      onReport: sum.add,
      onSpent(worker, spent) {
        for (const member of pool.members()) if (member.number !== worker) member.send(spent);
      },
      onFollowing(worker, seq, decidedBy) {
        versions.told(worker, seq, decidedBy);
        follower.announce();
      },
      async answer(question, worker) {
        if (question.call === "share") await sharing.share(worker, question.owner);
        if (isListQuestion(question)) return answerOfLists(control.lists.keeper, question);
        const reply = await answerFrom(ownershipStores, question);
        if (question.call === "end" && reply.kind === "pin" && reply.pin !== null)
          pool.send({ type: "over", cutover: question.cutover, journey: reply.pin.id });
        if (question.call === "release_owner" && reply.kind === "owners" && reply.owners[0] === question.side)
          pool.send({ type: "released", cutover: question.cutover, key: question.key, side: question.side });
        return reply;
      },
      onGone(worker) {
        sum.gone(worker);
        versions.gone(worker);
        follower.announce();
      },
    },
  });
  const leave = follower.onSwap(() => pool.send(told.nextSnapshot()));
  const unwatch = tellPins(ownershipStores.pinNews, () => inForce.config, pool.send);
  const telling = setInterval(() => pool.send(told.contact()), reportEveryMs);

  return {
    listen: pool.start,
    table: () => inForce.table,
    ...askedByPeople(ownershipStores, () => follower.isDoubtful(inForce.config.staleAfter)),
    versions: () =>
      versions.lowest(
        Object.fromEntries([...follower.current().states].map(([name, { version }]) => [name, version])),
      ),
    inForce: () => versions.reached(told.seq()),
    serves: pool.serves,
    prepare: (loaded, next) => prepare(loaded, next, { inForce, control, pool, told }),
    async lookAtKey(question) {
      const known = knownOfAll(await Promise.all(pool.members().map((member) => member.lookAtKey(question))));
      if (known === undefined) throw new Error("a worker does not say what it knows of the key");
      return known;
    },
    async collect() {
      const reported = Promise.all(pool.members().map((member) => member.collect()));
      await within(collectMs, systemTimers, reported).catch(() => undefined);
    },
    tellSecrets: () => pool.send(told.secrets()),
    restart: coalesce(async () => {
      log.info({}, "the workers are restarted one after the other");
      if (await pool.restart(inForce.config.drain)) log.info({}, "all workers were restarted");
    }),
    drain: pool.close,
    async close() {
      clearInterval(telling);
      leave();
      unwatch();
      await pool.close({ idle: 0, grace: 0 });
    },
  };
}

type Told = ReturnType<typeof createTold>;

/** What the workers are told, as of the moment it is asked for. */
function createTold(
  options: WorkersOptions,
  inForce: Readonly<InForce>,
  owners: () => readonly SharedOwner[],
) {
  const { control, instance, at, logging } = options;
  const { follower, secrets, ownerStores } = control;
  /** The number of the last snapshot that was sent. */
  let seq = 0;

  function snapshot() {
    const { states, local } = follower.current();
    return { seq, states: Object.fromEntries(states), local: [...(local ?? [])] };
  }
  function contact() {
    const { up, stalenessMs } = follower.contact();
    const agoMs = follower.inContactAgoMs();
    const told = (ms: number) => (Number.isFinite(ms) ? ms : null);
    const writing = ({ writtenAgoMs, troubledAgoMs, silentAgoMs }: Writing) => ({
      writtenMs: told(writtenAgoMs),
      troubledMs: told(troubledAgoMs),
      silentMs: told(silentAgoMs),
    });
    const owners = Object.entries(ownerStores.writing()).map(([place, own]) => [place, writing(own)]);
    return {
      sentAtMs: hostMs(),
      up,
      stalenessMs,
      inContactMs: told(agoMs),
      ...writing(follower.writing()),
      owners: Object.fromEntries(owners),
    };
  }
  function secretsOf(...configs: readonly Config[]) {
    const names = configs.flatMap(({ cutovers }) => [...Object.keys(cutovers), ticketsOwner]);
    return Object.fromEntries(names.map((name) => [name, [...secrets.of(name)]]));
  }
  return {
    seq: () => seq,
    nextSnapshot(): ToWorker {
      seq += 1;
      return { type: "snapshot", snapshot: snapshot() };
    },
    contact: (): ToWorker => ({ type: "contact", contact: contact() }),
    /** @param next a configuration that may come into force */
    secrets: (...next: readonly Config[]): ToWorker => ({
      type: "secrets",
      secrets: secretsOf(inForce.config, ...next),
    }),
    start: (worker: number): Start => ({
      type: "start",
      protocol,
      source: inForce.source,
      instance,
      worker,
      at,
      snapshot: snapshot(),
      contact: contact(),
      secrets: secretsOf(inForce.config),
      owners: [...owners()],
      logLevel: logging.level,
      accessLog: logging.accessLog,
      ...(logging.path === undefined ? {} : { logPath: logging.path }),
    }),
  };
}

interface Preparing {
  readonly inForce: InForce;
  readonly control: Pick<Control, "secrets">;
  readonly pool: Pool;
  readonly told: Told;
}

async function prepare(
  { config, source }: LoadedConfig,
  counting: Counting,
  { inForce, control, pool, told }: Preparing,
): Promise<Prepared> {
  try {
    const table = tableOf(config, control);
    pool.send(told.secrets(config));
    const sent = await pool.prepare(source);
    return {
      commit() {
        const before = inForce.counting;
        inForce.config = config;
        inForce.source = source;
        inForce.counting = counting;
        inForce.table = table;
        before.end();
        sent.commit();
      },
      discard() {
        counting.end();
        sent.discard();
      },
    };
  } catch (error) {
    counting.end();
    throw error;
  }
}

function tableOf(config: Config, { secrets }: Pick<Control, "secrets">): Table {
  return compileTable(config, unreachableWays(config), secrets, () => []);
}

/** Owners and pins for a person who asks how a shopper would be decided: nothing is recorded then, or counted. */
function askedByPeople(
  ownershipStores: OwnershipStores,
  isDoubtful: () => boolean,
): Pick<Serving, "ownership" | "pins"> {
  const nothing = () => undefined;
  const counts = { conflict: nothing, unknown: nothing, unrecorded: nothing, disputed: nothing };
  const spool = { add: async () => undefined };
  return {
    ownership: createOwnership({
      ...ownershipStores,
      isDoubtful,
      spool,
      counts,
      clock: systemClock,
      memory: createOwnerMemory(1),
    }),
    pins: createPins({ pins: ownershipStores.pins, clock: systemClock, onUnknown: nothing, remembered: 1 }),
  };
}
