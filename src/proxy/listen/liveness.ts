/**
 * Clients of HTTP/2 that have vanished without a word, or while this side wrote what no stream waits for: node:http2 reads
 * no more while it writes, and may lose the end of a write that fails (nodejs/node#42710). Then nothing tells that the
 * connection is gone, and even a destroyed session keeps its socket. So where nothing moves while a stream is open the
 * client is asked by PING (RFC 9113 §6.7), which who lives answers, and the socket of one that stays still is destroyed.
 */
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

/** So often within the limit a session is looked at. */
const looks = 4;
/** Octets of a PING. */
const pingBytes = 17;

/**
 * Ends a connection where for so long, or up to a quarter more, nothing came and nothing but PINGs went, while it has
 * open streams or its session is over. Who reads slowly answers late, but takes what is written.
 *
 * @param socket of the session
 * @param limitMs milliseconds
 * @param isAwaited whether it has an open stream
 */
export function endWhenStill(
  session: ServerHttp2Session,
  socket: Socket,
  limitMs: number,
  isAwaited: () => boolean,
): void {
  let read = 0;
  let written = 0;
  let stillLooks = 0;
  const look = () => {
    const isStill = socket.bytesRead === read && socket.bytesWritten <= written + pingBytes;
    read = socket.bytesRead;
    written = socket.bytesWritten;
    stillLooks = isStill ? stillLooks + 1 : 0;
    if (!isStill) return;
    const isAsked = !session.closed && isAwaited();
    if (isAsked) session.ping(() => {});
    // A closed session can not be asked; where frames wait, its client takes none.
    const isGone = isAsked || session.destroyed || (session.state.outboundQueueSize ?? 0) > 0;
    if (stillLooks >= looks && isGone) socket.destroy();
  };
  const looking = setInterval(look, limitMs / looks).unref();
  socket.on("close", () => clearInterval(looking));
}
