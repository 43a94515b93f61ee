/**
 * Clients of HTTP/2 that have vanished. node:http2 reads no more while it writes, and now and then not after a write that
 * failed either (nodejs/node#42710): then nothing tells that the connection is gone. So a client that is silent while
 * it has open streams is asked by PING (RFC 9113 §6.7). On a connection that is gone that fails; who lives answers.
 */
import type { ServerHttp2Session } from "node:http2";

/** So often within the limit a session is looked at. */
const looks = 4;

/**
 * Ends a session whose client has open streams and is not heard for so long.
 *
 * @param limitMs milliseconds
 * @param isAwaited whether it has an open stream
 */
export function endWhenSilent(session: ServerHttp2Session, limitMs: number, isAwaited: () => boolean): void {
  let heard = 0;
  let silentLooks = 0;
  const look = () => {
    if (session.destroyed) return;
    const { bytesRead } = session.socket;
    silentLooks = bytesRead === heard && isAwaited() ? silentLooks + 1 : 0;
    heard = bytesRead;
    if (silentLooks === 0) return;
    if (!session.closed) session.ping(() => {});
    // One that is closed can not be asked; it is gone, or takes nothing, where frames wait.
    const isGone = !session.closed || (session.state.outboundQueueSize ?? 0) > 0;
    if (silentLooks > looks && isGone) session.destroy();
  };
  const looking = setInterval(look, limitMs / looks).unref();
  session.on("close", () => clearInterval(looking));
}
