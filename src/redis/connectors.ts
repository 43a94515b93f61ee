/**
 * How ioredis comes by its connections: hosts by name are found without libuv's few threads (base/dial/names.ts), which
 * the names of upstreams and all files of the process need too; of several addresses the first that connects counts.
 */
import { readFileSync } from "node:fs";
import { isIP, type LookupFunction, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { AbstractConnector, type RedisOptions, SentinelConnector } from "ioredis";
import { connectTimeoutCode, dialHost } from "../base/dial/dial.ts";
import type { RedisUrl } from "./url.ts";

type Options = Pick<RedisOptions, "connectTimeout" | "disconnectTimeout" | "host" | "port" | "tls">;

type Connector = NonNullable<RedisOptions["Connector"]>;

export interface Ways {
  readonly tls: { readonly ca?: Buffer } | undefined;
  /** For the option `Connector` of ioredis: to one server, by its host and port. */
  readonly ToServer: Connector;
  /** The same to the primary that the Sentinels name. */
  readonly ToPrimary: Connector;
}

/** @throws Error when the file of certificates cannot be read */
export function createWays({ tls }: RedisUrl, lookup: LookupFunction): Ways {
  const ToServer = serverConnector(lookup);
  const way = { ToServer, ToPrimary: sentinelConnector(lookup, ToServer) };
  if (tls?.caFile === undefined) return { ...way, tls: tls && {} };
  try {
    return { ...way, tls: { ca: readFileSync(tls.caFile) } };
  } catch {
    throw new Error(`the store's ca file can not be read: ${tls.caFile}`);
  }
}

function serverConnector(lookup: LookupFunction) {
  return class ServerConnector extends AbstractConnector {
    readonly #options: Options;
    #leave = () => {};

    constructor(given: unknown) {
      const options = isOptions(given) ? given : {};
      super(options.disconnectTimeout ?? 0);
      this.#options = options;
    }

    /** @returns a socket that is connected, or one that is destroyed: after a rejection ioredis would not try again */
    override connect(): Promise<Socket> {
      const { connectTimeout: withinMs = 10_000, host = "", port = 0, tls } = this.#options;
      const named = isIP(host) === 0 ? { servername: host } : {};
      const secure = tls && ((socket: Socket) => connectTls({ ...named, ...tls, host, socket }));
      this.connecting = true;
      return new Promise((resolve, reject) => {
        const giveUp = dialHost({ host, port, lookup, withinMs, secure }, (error, socket) => {
          this.#leave = () => {};
          this.stream = socket ?? new Socket().destroy();
          if (error !== null) this.firstError = inItsWords(error);
          resolve(this.stream);
        });
        this.#leave = () => {
          giveUp();
          reject(new Error("Connection is closed."));
        };
      });
    }

    override disconnect(): void {
      const leave = this.#leave;
      this.#leave = () => {};
      leave();
      super.disconnect();
    }
  };
}

/** The primary is told by its address as a rule: node:net connects to it. */
function sentinelConnector(lookup: LookupFunction, ToServer: Connector) {
  return class extends SentinelConnector {
    constructor(given: unknown) {
      const natMap = (place: string) => {
        const colon = place.lastIndexOf(":");
        return { host: place.slice(0, colon), port: Number(place.slice(colon + 1)), lookup };
      };
      super({ ...(isOptions(given) ? given : {}), natMap });
      // What it asks the Sentinels by. ioredis has no option for these connections.
      const connect: unknown = Reflect.get(this, "connectToSentinel");
      if (typeof connect !== "function") throw new Error("ioredis connects to Sentinels in another way");
      Reflect.set(this, "connectToSentinel", (place: unknown, options: object = {}): unknown =>
        Reflect.apply(connect, this, [place, { ...options, Connector: ToServer }]),
      );
    }
  };
}

function isOptions(given: unknown): given is Options {
  return typeof given === "object" && given !== null;
}

function inItsWords(error: NodeJS.ErrnoException): Error {
  return error.code === connectTimeoutCode ? Object.assign(error, { code: "ETIMEDOUT" }) : error;
}
