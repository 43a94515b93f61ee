/**
 * TLS on the connections of a listener: HTTP/2 and HTTP/1.1 by ALPN (RFC 7301), TLS 1.2 and later. A connection that comes out goes
 * to one of the two servers, which have their own limits.
 *
 * A client that comes back resumes its session by a ticket that every worker and instance can read (base/tls/tickets.ts). Early
 * data (0-RTT) is not taken: whoever recorded it could send it again.
 *
 * Of several certificates the client's SNI chooses (certificates.ts), before any byte of HTTP.
 *
 * A certificate and its key are read again when their files change. The files are two and change one after the other:
 * only a pair that fits together is used, until then the one before.
 */
import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import { createServer as createTlsServer, type SecureContext, type TLSSocket } from "node:tls";
import { openCertificates } from "../../base/tls/certificates.ts";
import { ticketKeys } from "../../base/tls/tickets.ts";

/** A handshake that takes longer is a dead peer, or one that wants to keep a connection. */
const handshakeMs = 10_000;
/** How long a session may be resumed. */
const sessionSeconds = 7200;
/** How often the files of the certificate are looked at, and whether the keys of tickets are still those to use. */
const lookMs = 5000;

interface SecureTransport {
  /** Begins the handshake on a connection. */
  take(socket: Socket): void;
  /** How many are in their handshake. */
  readonly handshakes: number;
  /** Looks at the files of the certificate now; a new one is shown to new connections. */
  refresh(): void;
  /** No connection comes any more. */
  close(): void;
}

interface SecureTransportOptions {
  /** Paths, PEM; the first is for who asks for no name, or for one of none of them. */
  readonly files: readonly { readonly cert: string; readonly key: string }[];
  /** @param under the connection that it was made on */
  readonly onHttp1: (socket: TLSSocket, under: Socket) => void;
  readonly onHttp2: (socket: TLSSocket, under: Socket) => void;
  readonly onFault: (error: unknown) => void;
  /** What keys of tickets are made of, the same wherever a session is to be resumed; absent: a random one. */
  readonly ticketSecret: () => string | undefined;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** @throws Error when the certificate cannot be used */
export function createSecureTransport(options: SecureTransportOptions): SecureTransport {
  const { onHttp1, onHttp2, onFault } = options;
  // node:tls would make an id of the command line, by which one worker's sessions are none of another's.
  const context = { minVersion: "TLSv1.2", sessionIdContext: "cutover" } as const;
  const ownSecret = randomBytes(32).toString("base64url");
  let keys = keysNow();
  const certificates = openCertificates(options.files, context, onFault);
  const choose = (name: string, done: (error: null, context?: SecureContext) => void) =>
    done(null, certificates.contextFor(name));
  let handshakes = 0;
  const tls = createTlsServer({
    ...context,
    ...certificates.first,
    ticketKeys: keys,
    sessionTimeout: sessionSeconds,
    ...(options.files.length === 1 ? {} : { SNICallback: choose }),
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: handshakeMs,
  });
  tls.on("tlsClientError", () => {
    handshakes -= 1;
  });
  tls.on("secureConnection", (socket) => {
    handshakes -= 1;
    const under: unknown = Reflect.get(socket, "_parent");
    // Whose connection it is must never be a guess.
    if (!(under instanceof Socket)) socket.destroy();
    else if (socket.alpnProtocol === "h2") onHttp2(socket, under);
    else onHttp1(socket, under);
  });
  const looking = setInterval(refresh, lookMs).unref();

  function keysNow(): Buffer {
    return ticketKeys(options.ticketSecret() ?? ownSecret, options.now());
  }
  function refresh(): void {
    const before = keys;
    keys = keysNow();
    if (certificates.refresh())
      tls.setSecureContext({
        ...context,
        ...certificates.first,
        ticketKeys: keys,
        sessionTimeout: sessionSeconds,
      });
    else if (!keys.equals(before)) tls.setTicketKeys(keys);
  }
  return {
    take(socket) {
      handshakes += 1;
      tls.emit("connection", socket);
    },
    get handshakes() {
      return handshakes;
    },
    refresh,
    close: () => clearInterval(looking),
  };
}
