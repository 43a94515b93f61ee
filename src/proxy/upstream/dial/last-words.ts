/**
 * An upstream may answer an upload early and close at once, with some of the upload unread: its kernel then resets the
 * connection (RFC 9112 §9.6), and the next write here fails although the answer lies here, received and not read yet.
 * node:net would destroy the socket with it. So the failure of such a write is told only once what has come is read: at
 * the end of the connection, or after a while.
 */
import type { Socket } from "node:net";
import { codeOf } from "../../../base/errors.ts";

const waitMs = 250;
const closedThere: ReadonlySet<string | undefined> = new Set(["EPIPE", "ECONNRESET"]);

type Written = (error?: Error | null) => void;

/** @returns the same socket */
export function hearingLastWords<S extends Socket>(socket: S): S {
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  const toldLater =
    (written: Written): Written =>
    (error) => {
      if (!error || !closedThere.has(codeOf(error))) return written(error);
      const told = () => {
        clearTimeout(timer);
        socket.off("end", soon);
        socket.off("close", told);
        written(error);
      };
      // What reads the answer hears of the end as well.
      const soon = () => setImmediate(told);
      const timer = setTimeout(told, waitMs);
      socket.once("end", soon);
      socket.once("close", told);
    };
  // A stream is told of all its writes by one function.
  let own: Written | undefined;
  let later: Written = () => {};
  const afterwards = (written: Written): Written => {
    if (written !== own) {
      own = written;
      later = toldLater(written);
    }
    return later;
  };
  socket._write = (chunk, encoding, written) => write(chunk, encoding, afterwards(written));
  if (writev !== undefined) socket._writev = (chunks, written) => writev(chunks, afterwards(written));
  return socket;
}
