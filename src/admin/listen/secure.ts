/**
 * TLS in front of the admin listener: TLS 1.2 and later, HTTP/1.1; with an authority of clients, nobody gets through
 * without a certificate of it. Certificate, key and authority are read again when their files change.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import { type CertificateFiles, openCertificate } from "../../base/tls/certificate.ts";

/** A handshake that takes longer is a dead peer, or one that wants to keep a connection. */
const handshakeMs = 10_000;
/** How often the files are looked at. */
const lookMs = 5000;

/** @param onFault hears why files that have changed cannot be used @throws Error when the first cannot be used */
export function secure(
  server: Server,
  files: CertificateFiles,
  onFault: (error: unknown) => void,
): { refresh(): void } {
  const certificate = openCertificate(files, onFault);
  const options = { minVersion: "TLSv1.2" } as const;
  const needsOne = files.ca !== undefined;
  const tls = createTlsServer({
    ...options,
    ...certificate.current,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: handshakeMs,
    requestCert: needsOne,
    rejectUnauthorized: needsOne,
  });
  // What node:http listens with itself: a connection is its once it is encrypted.
  const taking = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    if (!(socket instanceof TLSSocket)) tls.emit("connection", socket);
    else for (const take of taking) take.call(server, socket);
  });
  tls.on("secureConnection", (socket) => server.emit("connection", socket));
  tls.on("tlsClientError", (_, socket) => socket.destroy());

  function refresh(): void {
    const next = certificate.refresh();
    if (next !== undefined) tls.setSecureContext({ ...options, ...next });
  }
  const looking = setInterval(refresh, lookMs).unref();
  server.once("close", () => clearInterval(looking));
  return { refresh };
}

/** @returns the connection that it was made over; itself where it is not encrypted */
export function underOf(socket: Socket): Socket {
  const under: unknown = socket instanceof TLSSocket ? Reflect.get(socket, "_parent") : undefined;
  return isSocket(under) ? under : socket;
}

function isSocket(value: unknown): value is Socket {
  return typeof value === "object" && value !== null && "remotePort" in value && "destroy" in value;
}
