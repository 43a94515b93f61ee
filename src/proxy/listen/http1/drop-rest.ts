/** What is left of a request that was answered before it was read (RFC 9112 §9.3, §9.6). */
import type { ServerResponse } from "node:http";

/** How often a client that still sends is looked at, and how long one has to read an answer that ends its connection. */
const lookMs = 1000;
/** What is to come from one look to the next for more to be awaited, in octets: whoever uploads brings it, who drips does not. */
const leastBytes = 65_536;
const mostLooks = 30;

/**
 * The rest is thrown away, and only behind it the next request is read. Where the connection ends with the answer, only
 * this side's end is sent: to close at once would reset the connection, and a reset can overtake the answer, which many
 * clients read only once all is sent. It closes when no more comes, too little, or for half a minute.
 */
export function dropRest({ req: request, socket, shouldKeepAlive }: ServerResponse): void {
  if (socket === null) return;
  const close = socket.destroySoon.bind(socket);
  let read = socket.bytesRead;
  let looks = 0;
  const looking = setInterval(() => {
    const came = socket.bytesRead - read;
    read += came;
    looks += 1;
    if (came >= leastBytes && looks < mostLooks) return;
    // Where the client reads nothing the end waits for it, and each call would add to those that wait.
    stop();
    close();
  }, lookMs);
  // What node:http calls when the last answer of a connection is written.
  if (!shouldKeepAlive) socket.destroySoon = () => void socket.end();
  socket.once("close", stop);
  request.removeAllListeners("data").once("end", dropped).resume();

  function dropped(): void {
    stop();
    if (!shouldKeepAlive) close();
  }
  function stop(): void {
    clearInterval(looking);
    socket?.off("close", stop);
  }
}
