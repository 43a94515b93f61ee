/**
 * The connections to one upstream: an undici `Client` each, one exchange on it at a time, no more than a limit of
 * them. It stands in place of undici's `Pool` because an exchange has to know its connection (see `connectionBy`), to leave
 * the queue when it is given up, and to close a connection that is still being made.
 */
import { maxHeaderSize } from "node:http";
import { connect, type LookupFunction, type Socket, type TcpNetConnectOpts } from "node:net";
import { Client } from "undici";
import { createFifo, type FifoEntry } from "../../../base/waiting/fifo.ts";
import { createDial, type Dial } from "../dial/dial.ts";
import { bearPaddedSizesOfUndici, type MendedSocket, mendHeads } from "../old-habits.ts";
import type { UpstreamTls, Waits } from "../port.ts";
import { createResponseFront, type ResponseFront } from "./response-front.ts";

/** Below the 5 s after which Node and Apache close an idle connection. */
const keepAliveMs = 4000;
/** What an upstream's Keep-Alive field can raise it to. */
const keepAliveMaxMs = 60_000;
const tcpKeepAliveMs = 60_000;
/** What node:net itself reads at once. */
const mostBytes = 64 * 1024;
const shared = Buffer.allocUnsafeSlow(mostBytes);

export interface Connection {
  readonly client: Client;
  readonly madeAt: number;
  passenger: Passenger | undefined;
  /** Whether it was kept from an earlier exchange. */
  kept: boolean;
  /** Octets that came in on it so far. */
  received(): number;
  /** A request goes out on it. */
  awaitResponse(): void;
  /** The status line undici reads, where it is one that undici cannot tell (response-front.ts). */
  oddLine(): string | undefined;
  /** Closes the socket, made or still being made. */
  cut(): void;
}

export interface Passenger {
  /** Called once, when a connection is there for it, which need not be made yet. */
  board(connection: Connection): void;
  resumeParser: (() => void) | undefined;
  /** In the queue for a connection. */
  place: FifoEntry<Passenger> | undefined;
  /** Whether a kept connection will not do. */
  readonly fresh: boolean;
  /** How long a connection that is made for it may take. */
  readonly waits: Waits;
}

export interface Connections {
  /** Has it board a free connection, else a new one, else the first that comes free. */
  acquire(passenger: Passenger): void;
  /** It waits no more. */
  leave(passenger: Passenger): void;
  /** Its exchange was complete. */
  release(connection: Connection): void;
  /** Its exchange broke off: the connection is closed. */
  discard(connection: Connection): void;
  /** Lets those on board and those waiting finish. */
  close(): Promise<void>;
  readonly closing: boolean;
}

interface ConnectionsOptions {
  readonly url: URL;
  /** The most there may be. */
  readonly limit: number | undefined;
  readonly maxAgeMs?: number | undefined;
  readonly lookup?: LookupFunction | undefined;
  readonly lenient: boolean;
  readonly tls?: UpstreamTls | undefined;
}

export function createConnections({
  url,
  tls,
  lookup,
  lenient,
  limit: most,
  maxAgeMs,
}: ConnectionsOptions): Connections {
  const limit = most ?? Number.POSITIVE_INFINITY;
  const dial = createDial(url, tls, { connectPlain: lenient ? undefined : connectDirect, lookup });
  /** The most recently used last: those not needed grow old and close. */
  const free: Connection[] = [];
  const waiting = createFifo<Passenger>();
  let count = 0;
  let closing: Promise<void> | undefined;
  let onEmpty = () => {};

  function openFor({ waits }: Passenger): Connection {
    const connection = connectionBy(dial, url.origin, waits.connectMs, lenient);
    connection.client.on("disconnect", () => {
      if (connection.passenger !== undefined) return;
      const index = free.indexOf(connection);
      if (index === -1) return;
      free.splice(index, 1);
      drop(connection);
    });
    count++;
    return connection;
  }

  function isOld({ madeAt }: Connection): boolean {
    return maxAgeMs !== undefined && performance.now() - madeAt > maxAgeMs;
  }

  function takeFree(): Connection | undefined {
    for (let connection = free.pop(); connection !== undefined; connection = free.pop()) {
      if (!isOld(connection)) return connection;
      drop(connection);
    }
    return undefined;
  }

  function drop(connection: Connection): void {
    connection.client.destroy();
    connection.cut();
    count--;
    if (count === 0) onEmpty();
  }

  return {
    get closing() {
      return closing !== undefined;
    },
    acquire(passenger) {
      if (passenger.fresh && count >= limit) {
        const oldest = free.shift();
        if (oldest !== undefined) drop(oldest);
      }
      const kept = passenger.fresh ? undefined : takeFree();
      const connection = kept ?? (count < limit ? openFor(passenger) : undefined);
      if (connection === undefined) passenger.place = waiting.push(passenger);
      else board(passenger, connection);
    },
    leave(passenger) {
      if (passenger.place !== undefined) waiting.remove(passenger.place);
    },
    release(connection) {
      // One that nobody waits for is looked at when it is taken.
      if (waiting.size > 0 && isOld(connection)) {
        this.discard(connection);
        return;
      }
      connection.passenger = undefined;
      connection.kept = true;
      const next = waiting.shift();
      if (next !== undefined) board(next, connection);
      else if (closing !== undefined) drop(connection);
      else free.push(connection);
    },
    discard(connection) {
      connection.passenger = undefined;
      const next = waiting.shift();
      if (next !== undefined) board(next, openFor(next));
      drop(connection);
    },
    close() {
      closing ??= new Promise((resolve) => {
        onEmpty = resolve;
        for (const connection of free.splice(0)) drop(connection);
        if (count === 0) resolve();
      });
      return closing;
    },
  };
}

function board(passenger: Passenger, connection: Connection): void {
  connection.passenger = passenger;
  passenger.board(connection);
}

/** A connection that undici makes with its first request. */
function connectionBy(dial: Dial, origin: string, connectMs: number, lenient: boolean): Connection {
  let socket: Socket | undefined;
  let front: ResponseFront | undefined;
  let mended: MendedSocket | undefined;
  let giveUp = () => {};
  const client = new Client(origin, {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMaxMs,
    maxHeaderSize,
    allowH2: false,
    connect(_options, callback) {
      giveUp = dial(connectMs, (error, made) => {
        if (made === undefined) {
          callback(error ?? new Error("no connection"), null);
          return;
        }
        socket = made;
        if (lenient) mended = mendHeads(made);
        front = createResponseFront(made);
        prepare(made, () => connection.passenger);
        callback(null, made);
        bearPaddedSizesOfUndici(made);
      });
    },
  });
  const connection: Connection = {
    client,
    madeAt: performance.now(),
    passenger: undefined,
    kept: false,
    received: () => socket?.bytesRead ?? 0,
    awaitResponse() {
      mended?.begin();
      front?.begin();
    },
    oddLine: () => front?.oddLine(),
    cut() {
      giveUp();
      socket?.destroy();
    },
  };
  return connection;
}

/**
 * Stops two faults of undici 7 before its own listeners hear of the event:
 * - the upstream's end while the client reads nothing: undici finishes a paused parser, and its assertion ends the
 *   process. By then every byte has been handed on, so the parser is resumed first;
 * - ECONNRESET: undici takes a body that only the close delimits for complete, and finishes a paused parser again.
 *   Under the code of undici's own socket errors the request fails, as it should.
 */
function prepare(socket: Socket, onBoard: () => Passenger | undefined): void {
  socket.setKeepAlive(true, tcpKeepAliveMs);
  socket.on("end", () => onBoard()?.resumeParser?.());
  socket.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ECONNRESET") error.code = "UND_ERR_SOCKET";
  });
}

/**
 * A plain connection read without the machinery of streams, for a reader that waits for `readable`, takes all there is
 * with `read` and gives back with `unshift` what it cannot take yet, as undici does. What comes is told at once, in the
 * turn it comes, and put into a buffer that all connections share, so that no memory is set aside for each read.
 *
 * One packet waits at most: while some of it does, nothing is read, the end of the connection neither.
 *
 * @returns a socket that is not connected yet
 */
export function connectDirect(options: TcpNetConnectOpts): Socket {
  let unread: Buffer | undefined;
  let isTelling = false;
  const arrived = (length: number): boolean => {
    // What has come may be kept long after the next read: for a client that reads slowly.
    unread = Buffer.from(shared.subarray(0, length));
    isTelling = true;
    try {
      socket.emit("readable");
    } finally {
      isTelling = false;
    }
    return unread === undefined;
  };
  const socket = connect({ ...options, onread: { buffer: shared, callback: arrived } });

  const readOn = socket.read.bind(socket);
  socket.read = (size) => {
    if (unread === undefined || size === 0) return isTelling ? null : readOn(size);
    const chunk = unread;
    unread = undefined;
    return chunk;
  };
  socket.unshift = (chunk: Buffer) => {
    if (chunk.length > 0) unread = chunk;
  };
  return socket;
}
