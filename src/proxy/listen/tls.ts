/**
 * TLS on the connections of a listener: HTTP/2 and HTTP/1.1 by ALPN (RFC 7301), TLS 1.2 and later. A connection that comes out goes
 * to one of the two servers, which have their own limits.
 *
 * Of several certificates the client's SNI chooses (certificates.ts), before any byte of HTTP.
 *
 * A certificate and its key are read again when their files change. The files are two and change one after the other:
 * only a pair that fits together is used, until then the one before.
 */
import { Socket } from "node:net";
import { createServer as createTlsServer, type SecureContext, type TLSSocket } from "node:tls";
import { openCertificates } from "../../base/tls/certificates.ts";

/** A handshake that takes longer is a dead peer, or one that wants to keep a connection. */
const handshakeMs = 10_000;
/** How often the files of the certificate are looked at. */
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
}

/** @throws Error when the certificate cannot be used */
export function createSecureTransport(options: SecureTransportOptions): SecureTransport {
  const { onHttp1, onHttp2, onFault } = options;
  const context = { minVersion: "TLSv1.2" } as const;
  const certificates = openCertificates(options.files, context, onFault);
  const choose = (name: string, done: (error: null, context?: SecureContext) => void) =>
    done(null, certificates.contextFor(name));
  let handshakes = 0;
  const tls = createTlsServer({
    ...context,
    ...certificates.first,
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

  function refresh(): void {
    if (certificates.refresh()) tls.setSecureContext({ ...context, ...certificates.first });
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
