/**
 * How a connection to an upstream is made, for every engine: plain, or TLS with the upstream's certificate verified
 * against its name (RFC 9110 §4.3.4). A session is kept for the next connection, which saves both sides a signature.
 */
import { connect, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from "node:net";
import { connect as connectTls, createSecureContext, TLSSocket } from "node:tls";
import type { UpstreamTls } from "../port.ts";

/** Begins a connection: a socket that is not connected yet. */
export type Dial = () => Socket;

interface DialOptions {
  /** Finds the addresses of the host, where it is a name (names.ts); `dns.lookup` when absent. */
  readonly lookup?: LookupFunction | undefined;
  /** Whether the upstream may end its direction and go on reading the other. */
  readonly allowHalfOpen?: boolean;
  /** Makes the connection where it is not TLS; of node:net when absent. */
  readonly connectPlain?: (options: TcpNetConnectOpts) => Socket;
}

/**
 * @param url http://HOST:PORT or https://HOST:PORT
 * @throws Error when a certificate, a key or an authority cannot be read
 */
export function createDial(
  url: URL,
  tls: UpstreamTls | undefined,
  { allowHalfOpen = false, connectPlain = connect, lookup }: DialOptions = {},
): Dial {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const encrypted = url.protocol === "https:";
  const named = lookup === undefined ? {} : { lookup };
  const port = url.port === "" ? (encrypted ? 443 : 80) : Number(url.port);
  if (!encrypted) {
    const plain = { host, port, noDelay: true, allowHalfOpen, ...named };
    return () => connectPlain(plain);
  }

  const { ca, cert, key, servername = host, verify = true } = tls ?? {};
  const secureContext = createSecureContext({
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  });
  // An address is no server name (RFC 6066 §3); it must be in the certificate all the same.
  const known = isIP(servername) === 0 ? { servername } : {};
  const options = {
    host,
    port,
    allowHalfOpen,
    secureContext,
    ...named,
    ...known,
    rejectUnauthorized: verify,
    ALPNProtocols: ["http/1.1"],
  };
  let session: Buffer | undefined;
  return () => {
    const socket = connectTls(session === undefined ? options : { ...options, session });
    socket.setNoDelay(true);
    socket.on("session", (latest: Buffer) => {
      session = latest;
    });
    return socket;
  };
}

/** Whether requests can be written: for TLS, once the peer is known. */
export function isConnected(socket: Socket): boolean {
  return !socket.connecting && !("secureConnecting" in socket && socket.secureConnecting === true);
}

export function whenConnected(socket: Socket, listener: () => void): void {
  socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", listener);
}
