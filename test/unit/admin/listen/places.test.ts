import type { EventEmitter } from "node:events";
import { Socket } from "node:net";
import { beforeEach, describe, expect, test } from "vitest";
import { createPlaces, type Places } from "../../../../src/admin/listen/places.ts";

const limits = { all: 10, strangers: 8, perAddress: 4, loopback: 2 };
let nowMs = 0;
let waiting: { readonly atMs: number; readonly run: () => void }[] = [];
let told: unknown[] = [];
let places: Places;
let ports = 0;

beforeEach(() => {
  nowMs = 0;
  waiting = [];
  told = [];
  const after = (ms: number, run: () => void) => {
    waiting.push({ atMs: nowMs + ms, run });
    return () => {};
  };
  const log = { warn: (fields: unknown) => void told.push(fields) };
  places = createPlaces({ limits, clock: { monotonic: () => nowMs }, timers: { after }, log });
});

/** Long enough for two looks, where it is 60 ms or more. */
function pass(ms: number): void {
  for (const part of [ms / 2, ms / 2].map((half) => (ms >= 60 ? half + 30 : half))) {
    nowMs += part;
    const due = waiting.filter(({ atMs }) => atMs <= nowMs);
    waiting = waiting.filter(({ atMs }) => atMs > nowMs);
    for (const { run } of due) run();
  }
}

function connect(address: string): Socket {
  const socket = new Socket();
  ports += 1;
  Object.defineProperties(socket, { remoteAddress: { value: address }, remotePort: { value: ports } });
  places.accepted(socket);
  return socket;
}

/** A request that is here whole. */
const ask = (socket: Socket, complete = true) => places.asked({ socket, complete });

const open = (sockets: readonly EventEmitter[]) =>
  sockets.map((socket) => !(socket instanceof Socket && socket.destroyed));

describe("connections to the admin listener", () => {
  test("of one address are some at most, the longest silent go, and nobody else's", () => {
    const other = connect("192.0.2.9");
    pass(1);
    const many = Array.from({ length: 7 }, () => {
      pass(1);
      return connect("192.0.2.7");
    });
    pass(60);
    expect(open(many)).toEqual([false, false, false, true, true, true, true]);
    expect(open([other])).toEqual([true]);
    expect(told).toEqual([{ closed: 3 }]);
  });

  test("that were accepted all at once are not closed before what they have sent could be read", () => {
    const many = Array.from({ length: 20 }, () => connect("192.0.2.7"));
    nowMs += 5000;
    for (const { run } of waiting.splice(0)) run();
    expect(open(many).every(Boolean)).toBe(true);
    for (const socket of many.slice(0, 3)) ask(socket);
    pass(60);
    expect(open(many).filter(Boolean)).toHaveLength(4);
    expect(open(many.slice(0, 3))).toEqual([true, true, true]);
  });

  test("of an IPv6 network count together", () => {
    const many = Array.from({ length: 6 }, (_, i) => connect(`2001:db8::${i}`));
    pass(60);
    expect(open(many).filter(Boolean)).toHaveLength(4);
  });

  test("of loopback have places that nobody else takes, and no limit of their own", () => {
    const far = Array.from({ length: 9 }, (_, i) => connect(`192.0.2.${i}`));
    pass(60);
    expect(open(far).filter(Boolean)).toHaveLength(6);
    const near = Array.from({ length: 5 }, () => connect("::ffff:127.0.0.1"));
    pass(60);
    expect(open(near)).toEqual([true, true, true, true, true]);
    expect(open(far).filter(Boolean)).toHaveLength(3);
  });

  test("that ask for something at once are let, however many are silent; answered, they go after these", () => {
    const asking = connect("127.0.0.1");
    ask(asking);
    pass(1);
    const silent = Array.from({ length: 20 }, () => connect("127.0.0.1"));
    pass(60);
    expect(open([asking])).toEqual([true]);
    expect(open(silent).filter(Boolean)).toHaveLength(7);
    places.answered(asking);
    silent.push(connect("127.0.0.1"));
    pass(60);
    expect(open([asking])).toEqual([true]);
    for (const socket of silent) if (!socket.destroyed) ask(socket);
    const late = connect("127.0.0.1");
    ask(late);
    pass(60);
    expect(open([asking, late])).toEqual([false, true]);
  });

  test("that do not send their bodies or read their answers go after 2 s, and who waits for an answer stays", () => {
    const waiting = Array.from({ length: 6 }, () => connect("127.0.0.1"));
    for (const socket of waiting) ask(socket);
    const unsent = connect("127.0.0.1");
    ask(unsent, false);
    const unread = connect("127.0.0.1");
    Object.defineProperty(unread, "writableLength", { value: 9 });
    ask(unread);
    const more = [connect("127.0.0.1"), connect("127.0.0.1")];
    for (const socket of more) ask(socket);
    pass(60);
    expect(open([unsent, unread])).toEqual([true, true]);
    pass(2000);
    expect(open([unsent, unread])).toEqual([false, false]);
    connect("127.0.0.1");
    pass(60_000);
    expect(open([...waiting, ...more]).every(Boolean)).toBe(true);
  });

  test("of those who are known stay, and strangers make room for them", () => {
    const known = Array.from({ length: 6 }, () => connect("192.0.2.7"));
    for (const socket of known) {
      ask(socket);
      places.known(socket);
      places.answered(socket);
    }
    const strangers = Array.from({ length: 8 }, () => connect("127.0.0.1"));
    pass(60);
    expect(open(known).every(Boolean)).toBe(true);
    expect(open(strangers).filter(Boolean)).toHaveLength(4);
  });

  test("that have ended count no more", async () => {
    const many = Array.from({ length: 4 }, () => connect("192.0.2.7"));
    for (const socket of many) socket.destroy();
    await new Promise(setImmediate);
    const next = Array.from({ length: 4 }, () => connect("192.0.2.7"));
    pass(60);
    expect(open(next)).toEqual([true, true, true, true]);
  });
});
