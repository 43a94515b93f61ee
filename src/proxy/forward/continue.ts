/**
 * Takes a 100 (Continue) nobody asked for off the front of a response. A client can simply discard one (RFC 9110
 * §15.2.1) and old servers send them unasked; undici 7 calls it a bad response and closes the connection.
 */
import { maxHeaderSize } from "node:http";
import type { Socket } from "node:net";

const opening = Buffer.from("HTTP/1.1 100", "latin1");
const headEnd = "\r\n\r\n";

/**
 * Stands before the socket's `read`, by which alone undici takes bytes from it.
 * @returns to be called when a request goes out on the socket: its response is what is looked at, up to its first
 *   octets that are of no 100
 */
export function dropContinue(socket: Socket): () => void {
  const read = socket.read.bind(socket);
  let atFront = false;
  let held: Buffer | undefined;

  socket.read = (size) => {
    const chunk: unknown = read(size);
    if (!atFront || !Buffer.isBuffer(chunk)) return chunk;
    let bytes: Buffer = held === undefined ? chunk : Buffer.concat([held, chunk]);
    held = undefined;
    while (mayBeContinue(bytes)) {
      const end = bytes.length < opening.length ? -1 : bytes.indexOf(headEnd);
      if (end === -1) {
        // Endless: undici may judge it.
        if (bytes.length > maxHeaderSize) break;
        held = bytes;
        return null;
      }
      bytes = bytes.subarray(end + headEnd.length);
      if (bytes.length === 0) return null;
    }
    atFront = false;
    return bytes;
  };

  return () => {
    atFront = true;
    held = undefined;
  };
}

function mayBeContinue(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, opening.length);
  return bytes.compare(opening, 0, length, 0, length) === 0;
}
