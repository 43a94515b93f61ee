/** PROXY headers of version 2, as a balancer writes them (proxy-protocol.txt §2.2). */
import { isIPv6 } from "node:net";

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

interface Version2 {
  /** Version and command; PROXY without it. */
  readonly kind?: number;
  /** Family and transport; TCP over IPv4 without it. */
  readonly family?: number;
  readonly addresses?: Buffer;
  /** What follows the addresses. */
  readonly rest?: Buffer;
  /** Instead of the true one. */
  readonly length?: number;
}

export function version2({ kind = 0x21, family = 0x11, rest = Buffer.alloc(0), ...more }: Version2): Buffer {
  const { addresses = tcp4("203.0.113.7") } = more;
  const head = Buffer.from([kind, family, 0, 0]);
  head.writeUInt16BE(more.length ?? addresses.length + rest.length, 2);
  return Buffer.concat([signature, head, addresses, rest]);
}

const ports = Buffer.from([0x12, 0x67, 0x01, 0xbb]);

/** @returns the addresses of a client and of 192.0.2.1 */
export function tcp4(client: string): Buffer {
  const octets = (address: string) => Buffer.from(address.split(".").map(Number));
  return Buffer.concat([octets(client), octets("192.0.2.1"), ports]);
}

/** @param client in full, eight groups */
export function tcp6(client: string): Buffer {
  if (!isIPv6(client) || client.split(":").length !== 8) throw new Error("expected eight groups");
  const octets = Buffer.from(
    client
      .split(":")
      .map((group) => group.padStart(4, "0"))
      .join(""),
    "hex",
  );
  return Buffer.concat([octets, octets, ports]);
}

/** One more field behind the addresses. */
export function tlv(type: number, value: Buffer): Buffer {
  const head = Buffer.from([type, 0, 0]);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}
