/**
 * A plain connection read without the machinery of streams, for a reader that waits for `readable`, takes all there is
 * with `read` and gives back with `unshift` what it cannot take yet, as undici does. What comes is told at once, in the
 * turn it comes, and put into a buffer that all connections share, so that no memory is set aside for each read.
 *
 * One packet waits at most: while some of it does, nothing is read, the end of the connection neither.
 */
import { connect, type Socket, type TcpNetConnectOpts } from "node:net";

/** What node:net itself reads at once. */
const mostBytes = 64 * 1024;
const shared = Buffer.allocUnsafeSlow(mostBytes);

/** @returns a socket that is not connected yet */
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
