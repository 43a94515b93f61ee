/**
 * How a connection to an upstream is made, for every engine: plain, or TLS with the upstream's certificate verified
 * against its name (RFC 9110 §4.3.4). A session is kept for the next connection, which saves both sides a signature.
 * One bound is for all of it: the name, its addresses, the handshake.
 */
import { connect, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";
import type { Connected, HostOptions } from "../../../base/dial/connect.ts";
import { dialHost } from "../../../base/dial/dial.ts";
import type { UpstreamTls } from "../port.ts";
import { hearingLastWords } from "./last-words.ts";

/**
 * Makes a connection. It is told once, in a later turn: a socket that requests can be written to, or why there is none.
 *
 * @returns the way to give up, after which nothing is told
 */
export type Dial = (withinMs: number, told: Connected) => () => void;

interface DialOptions {
  /** Finds the addresses of the host, where it is a name (base/dial/names.ts); `dns.lookup` when absent. */
  readonly lookup?: LookupFunction | undefined;
  /** Whether the upstream may end its direction and go on reading the other. */
  readonly allowHalfOpen?: boolean;
  /** Makes the connection where it is not TLS; of node:net when absent. */
  readonly connectPlain?: ((options: TcpNetConnectOpts) => Socket) | undefined;
}

/**
 * @param url http://HOST:PORT or https://HOST:PORT
 * @throws Error when a certificate, a key or an authority cannot be read
 */
export function createDial(url: URL, tls: UpstreamTls | undefined, options: DialOptions): Dial {
  const { allowHalfOpen = false, connectPlain = connect, lookup } = options;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isEncrypted = url.protocol === "https:";
  const port = url.port === "" ? (isEncrypted ? 443 : 80) : Number(url.port);
  const place: HostOptions = {
    host,
    port,
    lookup,
    connectTo: (to) => hearingLastWords(isEncrypted ? connect(to) : connectPlain({ ...to, allowHalfOpen })),
  };
  const secure = isEncrypted ? createHandshake(host, tls, allowHalfOpen) : undefined;
  return (withinMs, told) => dialHost({ ...place, withinMs, secure }, told);
}

/** @throws Error when a certificate, a key or an authority cannot be read */
function createHandshake(host: string, tls: UpstreamTls | undefined, allowHalfOpen: boolean) {
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
    allowHalfOpen,
    secureContext,
    ...known,
    rejectUnauthorized: verify,
    ALPNProtocols: ["http/1.1"],
  };
  let session: Buffer | undefined;
  return (plain: Socket) => {
    const resumed = session === undefined ? {} : { session };
    const socket = connectTls({ ...options, ...resumed, socket: plain });
    socket.on("session", (latest: Buffer) => {
      session = latest;
    });
    return hearingLastWords(socket);
  };
}
