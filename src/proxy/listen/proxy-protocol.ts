/**
 * The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt), as a receiver: a balancer that passes bytes on
 * says in front of them whose they are.
 *
 * From an address in `trustedProxies` a connection must begin with such a header, in either version: the protocol forbids
 * to guess (§2), and what a client wrote would otherwise be taken for what the balancer says. From every other address no
 * header is read: its bytes are HTTP or TLS as ever, and a header among them is a malformed request. So nobody is believed
 * who is not trusted, and probes and people beside the balancer are served under their own addresses; who may connect at
 * all is for a firewall to say.
 *
 *   told      TCP over IPv4 or IPv6: the client's address.
 *   local     LOCAL: the balancer itself, mostly a health check.
 *   untold    UNKNOWN, UNSPEC, and families that are not TCP's: a client, under the balancer's address, who is not
 *             believed what the balancer would be.
 *
 * What a version 2 header has beyond its addresses (TLVs) is passed over.
 */
import { isIP, type Socket, SocketAddress } from "node:net";
import type { Peer } from "../inbound.ts";

export const headerFaults = ["missing", "malformed", "too_large", "late"] as const;
export type HeaderFault = (typeof headerFaults)[number];

type Header = { readonly bytes: number } & (
  | { readonly kind: "told"; readonly address: string }
  | { readonly kind: "local" | "untold" }
);

/** The longest of version 1 (§2.1), its CRLF included. */
const mostOfVersion1 = 107;
/** Of version 2 with all its TLVs, which could be 64 KiB. */
const mostOfVersion2 = 4096;
const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const word = Buffer.from("PROXY ", "latin1");

/** @returns the header that the bytes begin with, `more` where that cannot be told yet, or what is wrong with it */
export function readProxyHeader(bytes: Buffer): Header | "more" | HeaderFault {
  if (begins(bytes, signature)) return bytes.length < 16 ? "more" : readVersion2(bytes);
  if (!begins(bytes, word)) return "missing";
  const end = bytes.subarray(0, mostOfVersion1).indexOf("\r\n");
  if (end !== -1) return readVersion1(bytes.toString("latin1", 0, end), end + 2);
  return bytes.length < mostOfVersion1 ? "more" : "too_large";
}

/** Whether the bytes are, as far as they go, those of the beginning. */
function begins(bytes: Buffer, beginning: Buffer): boolean {
  const length = Math.min(bytes.length, beginning.length);
  return bytes.compare(beginning, 0, length, 0, length) === 0;
}

const version1 = /^PROXY (TCP4|TCP6) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5})$/;

function readVersion1(line: string, bytes: number): Header | HeaderFault {
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { kind: "untold", bytes };
  const [, family, from = "", to = "", ...ports] = version1.exec(line) ?? [];
  const version = family === "TCP4" ? 4 : 6;
  const isSound = ports.length === 2 && ports.every((port) => Number(port) <= 65_535);
  if (!isSound || isIP(from) !== version || isIP(to) !== version) return "malformed";
  return { kind: "told", address: addressText(from, version), bytes };
}

/** Family and transport that may be said (§2.2), and how many octets their addresses have. */
const families: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x12, 12],
  [0x21, 36],
  [0x22, 36],
  [0x31, 216],
  [0x32, 216],
]);

function readVersion2(bytes: Buffer): Header | "more" | HeaderFault {
  const [kind = 0, family = 0] = bytes.subarray(12);
  const length = bytes.readUInt16BE(14);
  if (kind !== 0x20 && kind !== 0x21) return "malformed";
  const addresses = families.get(family);
  if (kind === 0x21 && (addresses === undefined || length < addresses)) return "malformed";
  const whole = 16 + length;
  if (whole > mostOfVersion2) return "too_large";
  if (bytes.length < whole) return "more";
  if (kind === 0x20) return { kind: "local", bytes: whole };
  if (family === 0x11) {
    return { kind: "told", address: [...bytes.subarray(16, 20)].join("."), bytes: whole };
  }
  if (family !== 0x21) return { kind: "untold", bytes: whole };
  const groups = bytes.toString("hex", 16, 32).match(/.{4}/g) ?? [];
  return { kind: "told", address: addressText(groups.join(":"), 6), bytes: whole };
}

/** As node:net says it of a connection; IPv4 as IPv4. */
function addressText(address: string, version: 4 | 6): string {
  if (version === 4) return address;
  const { address: text } = new SocketAddress({ address, family: "ipv6" });
  return text.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** Who is at the other end of a connection, by the header in front of it. */
export interface Introduced {
  readonly peer: Omit<Peer, "encrypted">;
  /** Octets of the header. */
  readonly bytes: number;
}

interface Introductions {
  /** Connections whose header is still to come. */
  readonly awaited: number;
  /** Reads the header of a connection, where its address owes one, and hands it on behind that; or closes it. */
  take(socket: Socket, next: (socket: Socket) => void): void;
  of(socket: Socket): Introduced | undefined;
  /** What was said of one connection holds for the one that is made on it. */
  handOn(under: Socket, socket: Socket): void;
}

interface IntroductionOptions {
  /** Whether an address owes a header; absent where none does. */
  readonly owes: ((address: string) => boolean) | undefined;
  /** How long a header may take to arrive. */
  readonly withinMs: number;
  readonly onRefused: (fault: HeaderFault, address: string) => void;
}

export function createIntroductions({ owes, withinMs, onRefused }: IntroductionOptions): Introductions {
  const known = new WeakMap<Socket, Introduced>();
  let awaited = 0;

  function remember(socket: Socket, introduced: Introduced): void {
    known.set(socket, introduced);
    // What is left in it is kept, with the last exchange of its connection, until the next full collection.
    socket.once("close", () => known.delete(socket));
  }

  return {
    get awaited() {
      return awaited;
    },
    of: (socket) => known.get(socket),
    handOn(under, socket) {
      const introduced = known.get(under);
      if (introduced !== undefined) remember(socket, introduced);
    },
    take(socket, next) {
      if (owes === undefined) return void next(socket);
      const from = socket.remoteAddress;
      // It has gone already.
      if (from === undefined) return void socket.destroy();
      if (!owes(from)) return void next(socket);
      let come: Buffer = Buffer.alloc(0);
      const timer = setTimeout(() => give("late"), withinMs);
      const leave = () => give(undefined);
      const onEnd = () => give("malformed");
      awaited += 1;
      socket.on("data", onData).on("end", onEnd).on("error", leave).on("close", leave);

      function onData(chunk: Buffer): void {
        come = come.length === 0 ? chunk : Buffer.concat([come, chunk]);
        const header = readProxyHeader(come);
        if (header === "more") return;
        if (typeof header === "string") give(header);
        else pass(header);
      }
      function stop(): void {
        clearTimeout(timer);
        awaited -= 1;
        socket.off("data", onData).off("end", onEnd).off("error", leave).off("close", leave);
      }
      /** A connection on which nothing was ever said is a health check, and no fault. */
      function give(fault: HeaderFault | undefined): void {
        stop();
        socket.on("error", () => {});
        if (fault !== undefined && come.length > 0) onRefused(fault, from ?? "");
        socket.destroy();
      }
      function pass(header: Header): void {
        stop();
        const { kind, bytes } = header;
        const address = kind === "told" ? header.address : (from ?? "");
        remember(socket, { peer: { address, isUntold: kind === "untold" }, bytes });
        // As if nobody had read from it; node:http does the same where it gives a connection away.
        socket.pause();
        Reflect.set(socket, "readableFlowing", null);
        if (come.length > bytes) socket.unshift(come.subarray(bytes));
        next(socket);
      }
    },
  };
}
