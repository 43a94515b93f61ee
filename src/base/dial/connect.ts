/**
 * Connects to a host that may have several addresses: an attempt each, begun 250 ms apart, or at once where the last one
 * has failed, families in turn (RFC 8305 §4, §5). They go on side by side until one connects; the others are closed.
 * node:net gives up each attempt after 250 ms before it begins the next, so that a host whose first address is slow and
 * whose second refuses would be out of reach.
 */
import { lookup as systemLookup } from "node:dns";
import { connect, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from "node:net";

export interface HostOptions {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Finds the addresses of a name (names.ts); the system's, on libuv's few threads, when absent. */
  readonly lookup?: LookupFunction | undefined;
  /** Begins a connection to one address, given as `host`; of node:net when absent. */
  readonly connectTo?: (options: TcpNetConnectOpts) => Socket;
}

/** With a socket that is connected, or with why there is none. */
export type Connected = (error: Error | null, socket?: Socket) => void;

const apartMs = 250;

/**
 * Sets no bound of its own.
 *
 * @param done called once, in a later turn
 * @returns the way to give up: everything is closed, and `done` is never called
 */
export function connectToHost(options: HostOptions, done: Connected): () => void {
  const { host, port, lookup = systemLookup, connectTo = connect } = options;
  const underWay = new Set<Socket>();
  let left: string[] = [];
  let firstError: Error | undefined;
  let isOver = false;
  let next: NodeJS.Timeout | undefined;

  function conclude(winner?: Socket): void {
    isOver = true;
    clearTimeout(next);
    for (const socket of underWay) if (socket !== winner) socket.destroy();
    underWay.clear();
  }

  function attempt(): void {
    clearTimeout(next);
    const address = left.shift();
    if (address === undefined) {
      if (underWay.size > 0) return;
      conclude();
      done(firstError ?? new Error(`no address of ${host}`));
      return;
    }
    const socket = connectTo({ host: address, port, noDelay: true });
    underWay.add(socket);
    socket.once("connect", () => {
      if (isOver) return;
      conclude(socket);
      done(null, socket);
    });
    socket.on("error", (error) => {
      firstError ??= error;
    });
    socket.once("close", () => {
      underWay.delete(socket);
      if (!isOver) attempt();
    });
    if (left.length > 0) next = setTimeout(attempt, apartMs);
  }

  if (isIP(host) !== 0) {
    left = [host];
    attempt();
  } else {
    lookup(host, { all: true }, (error, found) => {
      if (isOver) return;
      firstError = error ?? undefined;
      left = inTurn(Array.isArray(found) ? found : []);
      attempt();
    });
  }
  return () => {
    if (!isOver) conclude();
  };
}

/** The addresses of the first one's family and of the other one, in turn. */
function inTurn(found: readonly { readonly address: string; readonly family: number }[]): string[] {
  const first = found.filter(({ family }) => family === found[0]?.family);
  const others = found.filter(({ family }) => family !== found[0]?.family);
  const ordered = first.flatMap((one, index) => [one, ...others.slice(index, index + 1)]);
  return [...ordered, ...others.slice(first.length)].map(({ address }) => address);
}
