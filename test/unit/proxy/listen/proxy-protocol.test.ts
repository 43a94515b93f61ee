import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readProxyHeader } from "../../../../src/proxy/listen/proxy-protocol.ts";
import { tcp4, tcp6, tlv, version2 } from "../../../support/proxy-header.ts";

const read = (text: string) => readProxyHeader(Buffer.from(text, "latin1"));
const mapped = "0:0:0:0:0:ffff:cb00:7107";

describe("version 1", () => {
  test.each([
    ["PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n", { kind: "told", address: "203.0.113.7", bytes: 43 }],
    ["PROXY TCP6 2001:DB8::7 2001:db8::1 4711 443\r\n", { kind: "told", address: "2001:db8::7", bytes: 45 }],
    ["PROXY TCP6 ::ffff:203.0.113.7 ::1 4711 443\r\n", { kind: "told", address: "203.0.113.7", bytes: 44 }],
    ["PROXY UNKNOWN\r\n", { kind: "untold", bytes: 15 }],
    ["PROXY UNKNOWN 203.0.113.7 192.0.2.1 4711 443\r\n", { kind: "untold", bytes: 46 }],
    ["PROXY UNKNOWN anything at all\r\nGET", { kind: "untold", bytes: 31 }],
  ])("%j is read", (text, header) => {
    expect(read(text)).toEqual(header);
  });

  test.each([
    "PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n",
    "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443 \r\n",
    "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443 1\r\n",
    "PROXY TCP4 203.0.113.7 192.0.2.1 4711 65536\r\n",
    "PROXY TCP4 203.0.113.7 192.0.2.1 -1 443\r\n",
    "PROXY TCP4 203.0.113.07 192.0.2.1 4711 443\r\n",
    "PROXY TCP4 203.0.113 192.0.2.1 4711 443\r\n",
    "PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n",
    "PROXY TCP6 203.0.113.7 192.0.2.1 4711 443\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 4711 443\r\n",
    "PROXY TCP4  203.0.113.7 192.0.2.1 4711 443\r\n",
    "PROXY TCP4\t203.0.113.7 192.0.2.1 4711 443\r\n",
    "PROXY tcp4 203.0.113.7 192.0.2.1 4711 443\r\n",
    "PROXY UDP4 203.0.113.7 192.0.2.1 4711 443\r\n",
    "PROXY UNKNOWNS\r\n",
    "PROXY \r\n",
    "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\n\r\n",
  ])("%j is malformed", (text) => {
    expect(read(text)).toBe("malformed");
  });

  test("a line that does not end within 107 octets is too large", () => {
    const line = "PROXY UNKNOWN ".padEnd(105, "x");
    expect(read(`${line}\r\n`)).toEqual({ kind: "untold", bytes: 107 });
    expect(read(line)).toBe("more");
    expect(read(`${line}x\r\n`)).toBe("too_large");
    expect(read("PROXY TCP4 ".padEnd(4096, "1"))).toBe("too_large");
  });

  test.each(["GET / HTTP/1.1\r\n", "\x16\x03\x01\x02", "proxy TCP4", "PROXYTCP4", "\r\nPROXY", " PROXY "])(
    "%j is none",
    (text) => {
      expect(read(text)).toBe("missing");
    },
  );
});

describe("version 2", () => {
  test.each([
    ["TCP over IPv4", version2({}), { kind: "told", address: "203.0.113.7" }],
    [
      "TCP over IPv6",
      version2({ family: 0x21, addresses: tcp6("2001:db8:0:0:0:0:0:7") }),
      { kind: "told", address: "2001:db8::7" },
    ],
    [
      "IPv4 within IPv6",
      version2({ family: 0x21, addresses: tcp6(mapped) }),
      { kind: "told", address: "203.0.113.7" },
    ],
    [
      "TLVs, also such that are cut short",
      version2({
        rest: Buffer.concat([
          tlv(0x02, Buffer.from("shop.example")),
          tlv(0x20, Buffer.alloc(60)),
          Buffer.from([4]),
        ]),
      }),
      { kind: "told", address: "203.0.113.7" },
    ],
    ["LOCAL", version2({ kind: 0x20, family: 0x00, addresses: Buffer.alloc(0) }), { kind: "local" }],
    ["LOCAL with addresses", version2({ kind: 0x20 }), { kind: "local" }],
    ["LOCAL of no known family", version2({ kind: 0x20, family: 0xff }), { kind: "local" }],
    ["UNSPEC", version2({ family: 0x00, addresses: Buffer.alloc(0) }), { kind: "untold" }],
    ["UDP", version2({ family: 0x12 }), { kind: "untold" }],
    ["a UNIX socket", version2({ family: 0x31, addresses: Buffer.alloc(216) }), { kind: "untold" }],
  ])("%s is read", (_, bytes, header) => {
    expect(readProxyHeader(bytes)).toEqual({ ...header, bytes: bytes.length });
  });

  test.each([
    ["version 1 in version 2's form", version2({ kind: 0x11 })],
    ["version 3", version2({ kind: 0x31 })],
    ["a command that is not known", version2({ kind: 0x22 })],
    ["a family that is not known", version2({ family: 0x41 })],
    ["a transport that is not known", version2({ family: 0x13 })],
    ["IPv4 without a transport", version2({ family: 0x10 })],
    ["fewer octets than the addresses have", version2({ addresses: tcp4("203.0.113.7").subarray(0, 11) })],
    ["IPv6 with the octets of IPv4", version2({ family: 0x21 })],
    ["a UNIX socket with none", version2({ family: 0x31 })],
  ])("%s is malformed", (_, bytes) => {
    expect(readProxyHeader(bytes)).toBe("malformed");
  });

  test("more than 4 KiB is too large, and nothing of it is awaited", () => {
    expect(readProxyHeader(version2({ rest: Buffer.alloc(4096 - 28) }))).toMatchObject({ bytes: 4096 });
    expect(readProxyHeader(version2({ length: 4081 }))).toBe("too_large");
    expect(readProxyHeader(version2({ kind: 0x20, length: 65_535 }))).toBe("too_large");
  });
});

const soundHeader = fc.oneof(
  fc.tuple(fc.ipV4(), fc.nat(65_535)).map(([address, port]) => ({
    bytes: Buffer.from(`PROXY TCP4 ${address} 192.0.2.1 ${port} 443\r\n`),
    address,
  })),
  fc.tuple(fc.ipV4(), fc.uint8Array({ maxLength: 300 })).map(([address, rest]) => ({
    bytes: version2({ addresses: tcp4(address), rest: Buffer.from(rest) }),
    address,
  })),
);

describe("whatever comes", () => {
  test("a sound header in front of any bytes is told from them, and not before it is whole", () => {
    fc.assert(
      fc.property(
        soundHeader,
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(),
        ({ bytes, address }, after, at) => {
          const cut = at % bytes.length;
          expect(readProxyHeader(bytes.subarray(0, cut))).toBe("more");
          const all = Buffer.concat([bytes, Buffer.from(after)]);
          expect(readProxyHeader(all)).toEqual({ kind: "told", address, bytes: bytes.length });
        },
      ),
      { numRuns: 300 },
    );
  });

  test("a header with octets changed is refused, or says an address, and never throws", () => {
    const change = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(soundHeader, change, ({ bytes }, changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, octet] of changes) changed[at % changed.length] = octet;
        const header = readProxyHeader(changed);
        if (typeof header === "string") expect(header).toMatch(/^(?:more|missing|malformed|too_large)$/);
        else if (header.kind === "told") expect(isIP(header.address)).not.toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
