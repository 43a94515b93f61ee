/**
 * Clients of HTTP/2 that have vanished without a word, or while this side wrote what no stream waits for: node:http2 reads
 * no more while it writes, and may lose the end of a write that fails (nodejs/node#42710). Then nothing tells that the
 * connection is gone, and even a destroyed session keeps its socket. So a client that is silent while it has open
 * streams is asked by PING (RFC 9113 §6.7), which who lives answers, and the socket of one that stays silent is destroyed.
 */
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

/** So often within the limit a session is looked at. */
const looks = 4;

/**
 * Ends a connection whose client is not heard for so long, or up to a quarter more, while it has open streams or its
 * session is over.
 *
 * @param socket of the session
 * @param limitMs milliseconds
 * @param isAwaited whether it has an open stream
 */
export function endWhenSilent(
  session: ServerHttp2Session,
  socket: Socket,
  limitMs: number,
  isAwaited: () => boolean,
): void {
  let heard = 0;
  let silentLooks = 0;
  const look = () => {
    silentLooks = socket.bytesRead === heard ? silentLooks + 1 : 0;
    heard = socket.bytesRead;
    if (silentLooks === 0) return;
    const isAsked = !session.closed && isAwaited();
    if (isAsked) session.ping(() => {});
    // A closed session can not be asked; where frames wait, its client takes none.
    const isGone = isAsked || session.destroyed || (session.state.outboundQueueSize ?? 0) > 0;
    if (silentLooks >= looks && isGone) socket.destroy();
  };
  const looking = setInterval(look, limitMs / looks).unref();
  socket.on("close", () => clearInterval(looking));
}
