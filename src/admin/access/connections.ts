/** Ends a server's connections at its close: at once those that wait for nothing, the others when they are done. */
import type { Server } from "node:http";
import type { Socket } from "node:net";

const sweepMs = 20;

/**
 * To be called before the server listens.
 *
 * @returns begins the end: whatever is left after `graceMs` is cut off. It returns what stops looking again
 */
export function watchConnections(server: Server): (graceMs: number) => () => void {
  // Node holds a connection that never carried a request for busy (`closeIdleConnections` passes it by).
  const unused = new Set<Socket>();
  server.on("connection", (socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  server.on("request", (request) => unused.delete(request.socket));

  function sweep(): void {
    for (const socket of unused) socket.destroy();
    server.closeIdleConnections();
  }

  return (graceMs) => {
    const sweeping = setInterval(sweep, sweepMs);
    const impatience = setTimeout(() => server.closeAllConnections(), graceMs);
    return () => {
      clearInterval(sweeping);
      clearTimeout(impatience);
    };
  };
}
