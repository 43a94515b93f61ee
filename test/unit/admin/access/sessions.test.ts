import { describe, expect, test } from "vitest";
import { createGate } from "../../../../src/admin/access/gate.ts";
import { createPageSessions, type Renew } from "../../../../src/admin/access/sessions.ts";
import type { AuthConfig } from "../../../../src/config/auth-schema.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

const actor = { name: "ana", role: "viewer" } as const;
const minute = 60_000;

function start() {
  const clock = createManualTime();
  const sessions = createPageSessions(clock);
  let made = 0;
  const begin = (name = "ana", expiresAtMs?: number, renew?: Renew) => {
    const id = `id-${made++}`;
    return { id, page: sessions.begin(id, { ...actor, name }, `segment-${id}`, { expiresAtMs, renew }) };
  };
  return { clock, sessions, begin };
}

describe("a session", () => {
  test("ends 15 minutes after a person last used it, however often a tab asks", async () => {
    const { clock, sessions, begin } = start();
    const { id, page } = begin();
    for (let second = 1; second < 15 * 60; second += 1) {
      await clock.advance(1000);
      expect(sessions.find(id)).toBe(page);
    }
    sessions.touch(page);
    await clock.advance(15 * minute - 1);
    expect(sessions.isLive(page)).toBe(true);
    await clock.advance(1);
    expect(sessions.isLive(page)).toBe(false);
    sessions.touch(page);
    expect(sessions.find(id)).toBeUndefined();
  });

  test("ends 8 hours after its begin, and with the credential it came of", async () => {
    const { clock, sessions, begin } = start();
    const { page } = begin();
    for (let tenth = 0; tenth < 8 * 6 - 1; tenth += 1) {
      await clock.advance(10 * minute);
      sessions.touch(page);
      expect(sessions.isLive(page)).toBe(true);
    }
    await clock.advance(10 * minute);
    expect(sessions.isLive(page)).toBe(false);
    const short = begin("ana", clock.now() + minute);
    await clock.advance(minute);
    expect(sessions.find(short.id)).toBeUndefined();
  });

  test("is renewed within a minute of its end, once at a time, again after an outage, and up to 8 hours", async () => {
    const { clock, sessions, begin } = start();
    const hour = 60 * minute;
    let asked = 0;
    const renew: Renew = async () => {
      asked += 1;
      return asked === 1 ? undefined : { actor, expiresAtMs: clock.now() + hour, renew };
    };
    const { id, page } = begin("ana", clock.now() + 2 * minute, renew);
    const ask = async (times = 3) => {
      for (let at = 0; at < times; at += 1) {
        sessions.touch(page);
        sessions.renewInTime(page);
      }
      await clock.advance(0);
    };
    await ask();
    expect(asked).toBe(0);
    await clock.advance(minute);
    await ask();
    expect(asked).toBe(1);
    await clock.advance(4999);
    await ask();
    expect(asked).toBe(1);
    await clock.advance(1);
    await ask();
    expect(asked).toBe(2);
    expect(sessions.find(id)?.expiresAtMs).toBe(clock.now() + hour);
    for (let at = 0; at < 8 * 60; at += 1) {
      await clock.advance(minute);
      await ask(1);
    }
    expect(sessions.isLive(page)).toBe(false);
    expect(asked).toBeLessThan(12);
  });

  test("ends when the issuer lets its person in no more; with another role it is another to what it opened", async () => {
    const { clock, sessions, begin } = start();
    const results: Awaited<ReturnType<Renew>>[] = [
      {
        actor: { ...actor, role: "operator" },
        expiresAtMs: clock.now() + minute,
        renew: async () => "ended",
      },
    ];
    const { id, page } = begin("ana", clock.now() + minute, async () => results.pop());
    sessions.renewInTime(page);
    await clock.advance(0);
    expect(sessions.isLive(page)).toBe(false);
    expect(sessions.find(id)?.actor.role).toBe("operator");
    await clock.advance(5000);
    sessions.renewInTime(page);
    await clock.advance(0);
    expect(sessions.find(id)).toBeUndefined();
  });

  test("makes room for the next of the same name, and of all", () => {
    const { sessions, begin } = start();
    const [first, ...others] = Array.from({ length: 9 }, () => begin().id);
    expect(sessions.find(first ?? "")).toBeUndefined();
    expect(others.every((id) => sessions.find(id) !== undefined)).toBe(true);
    for (let at = 0; at < 400; at += 1) begin(`ops-${at}`);
    expect(sessions.size()).toBe(256);
  });

  test("that was revoked is not kept again by a request that was under way", () => {
    const { sessions, begin } = start();
    const { id, page } = begin();
    expect(sessions.list()).toMatchObject([{ handle: page.handle, actor }]);
    expect(sessions.revoke(page.handle)).toBe(true);
    expect(sessions.revoke(page.handle)).toBe(false);
    sessions.store.set(id, { cookie: { originalMaxAge: null }, page, _csrf: "x" }, () => {});
    expect(sessions.find(id)).toBeUndefined();
    expect(sessions.list()).toEqual([]);
  });

  test("ends when the configuration's tokens change, and only then", () => {
    const auth: AuthConfig = { tokens: [{ ...actor, sha256: "0".repeat(64) }] };
    const gate = createGate({ auth, clock: createManualTime(), log: createRecordedLog() });
    const page = gate.sessions.begin("id", actor, "segment");
    gate.reconfigure(structuredClone(auth));
    expect(gate.sessions.isLive(page)).toBe(true);
    gate.reconfigure({ tokens: [{ ...actor, sha256: "1".repeat(64) }] });
    expect(gate.sessions.isLive(page)).toBe(false);
  });
});
