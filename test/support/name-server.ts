/** A name server on UDP 127.0.0.1: it answers from a table, is silent where that says so, and writes down what it was asked. */
import { createSocket } from "node:dgram";

/** Addresses of either family; `silent`: no answer ever; `trouble`: SERVFAIL. What is not in the table is NXDOMAIN. */
export type NameEntry =
  | { readonly addresses: readonly string[]; readonly ttl?: number }
  | "silent"
  | "trouble";

const typeA = 1;
const typeAaaa = 28;

export async function startNameServer(table: Map<string, NameEntry>) {
  const socket = createSocket("udp4");
  /** Names as asked, one a question for an IPv4 address. */
  const asked: string[] = [];
  socket.on("message", (query, { port, address }) => {
    const { name, type, end } = questionOf(query);
    if (type === typeA) asked.push(name);
    const entry = table.get(name);
    if (entry === "silent") return;
    socket.send(answerTo(query.subarray(0, end), type, entry), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    server: `127.0.0.1:${socket.address().port}`,
    asked,
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}

function questionOf(query: Buffer) {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function answerTo(question: Buffer, type: number, entry: NameEntry | undefined): Buffer {
  const head = Buffer.from(question);
  const isKnown = typeof entry === "object";
  const addresses = isKnown ? entry.addresses.filter((one) => one.includes(":") === (type === typeAaaa)) : [];
  const code = isKnown ? 0 : entry === "trouble" ? 2 : 3;
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((address) => {
    const data = type === typeA ? Buffer.from(address.split(".").map(Number)) : ipv6(address);
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE((isKnown ? entry.ttl : undefined) ?? 60, 6);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  });
  return Buffer.concat([head, ...records]);
}

/** Of `::1` and its like alone: zeros and the last group. */
function ipv6(address: string): Buffer {
  const data = Buffer.alloc(16);
  data.writeUInt16BE(Number.parseInt(address.slice(2), 16), 14);
  return data;
}
