/** What a scripted upstream does wrong. */
import type { RawConnection, Script } from "../../support/raw-upstream.ts";
import { ok } from "./engines.ts";

/** The first request of all gets the fault, all others an answer. */
export function faulty(fault: (connection: RawConnection) => void): Script {
  let first = true;
  return (connection) => {
    connection.onRequest(() => {
      if (!first) return connection.write(ok("next"));
      first = false;
      fault(connection);
    });
  };
}

export const closing = (bytes: string) => (connection: RawConnection) => {
  connection.write(bytes);
  connection.socket.end();
};
/** Resets once the bytes were read at the other end. */
export const resetting = (bytes: string) => (connection: RawConnection) => {
  if (bytes === "") connection.reset();
  else connection.socket.write(Buffer.from(bytes, "latin1"), () => setTimeout(() => connection.reset(), 20));
};
