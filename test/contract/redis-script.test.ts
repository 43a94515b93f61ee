/** The script for changes, called past the program, in every cell: role, action, state; and by one person or two. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import {
  type Change,
  changeActions,
  type Role,
  roles,
  type StateName,
  stateNames,
  transition,
} from "../../src/state/rules/model.ts";
import type { Store } from "../../src/state/store/port.ts";
import { loadScripts } from "../../src/state/store/redis/scripts.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { applyAll, setTo, stateOf } from "../support/commands.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

let server: RedisServer;
let store: Store;
let made = 0;
beforeAll(async () => {
  server = await startRedis();
  store = createRedisStore({ client: createRedisClient(server.url) });
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

const { apply, read } = loadScripts();

interface Asked {
  readonly name: string;
  readonly change: Exclude<Change, { action: "reconciled" }>;
  readonly role: Role;
  readonly actor?: string;
  readonly fourEyes?: { readonly overThousandths: number; readonly proposalId?: string };
}

/** @returns the first two values of the answer */
async function call({ name, change, role, actor = "mallory", fourEyes }: Asked) {
  const visible = `cutover:{${name}}`;
  const keys = [visible, `${visible}:accepted`, `${visible}:audit`, `${visible}:proposal`];
  const seen = await server.cli("EVAL", read.source, 3, ...keys.slice(0, 3), "{}");
  if (!Array.isArray(seen)) throw new Error("no answer");
  const args = {
    seen: { visible: seen[3], accepted: seen[4] },
    deadline: 9e15,
    write: `id-${made}`,
    again: false,
    channel: "cutover:changes",
    command: { name, change, actor: { name: actor, role }, reason: "because", fourEyes },
  };
  const answer = await server.cli("EVAL", apply.source, keys.length, ...keys, JSON.stringify(args));
  return Array.isArray(answer) ? answer.slice(0, 2) : answer;
}

const wayTo: Record<StateName, readonly Change[]> = {
  open: [setTo(40)],
  held: [setTo(40), { action: "hold" }],
  rolled_back: [setTo(40), { action: "rollback" }],
  closed: [setTo(100), { action: "close" }],
};
const changes = changeActions.flatMap((action): readonly Asked["change"][] => {
  if (action === "maintain") {
    return [
      { action, side: "legacy", until: "2026-03-01T14:00:00.000Z" },
      { action, side: "new", until: null },
    ];
  }
  if (action !== "set") return [{ action }];
  return [0, 40_000, 100_000].map((percentThousandths) => ({ action, percentThousandths }));
});
const cells = roles.flatMap((role) => stateNames.map((state) => ({ role, state })));

describe.each(cells)("$role, $state", ({ role, state }) => {
  test("is judged as the rule book does, for every action", async () => {
    for (const change of changes) {
      made += 1;
      const name = `c-${made}`;
      const before = await applyAll(store, name, wayTo[state]);
      const request = { change, actor: { name: "mallory", role }, reason: "because", at: "" };
      const judged = transition(before, request);
      const expected = judged.accepted ? ["accepted", judged.changed ? "1" : "0"] : ["refused", judged.code];
      expect(await call({ name, change, role }), JSON.stringify(change)).toEqual(expected);
      const { updatedAt: _, ...after } = await stateOf(store, name);
      expect(after, JSON.stringify(change)).toMatchObject(
        judged.accepted && judged.changed
          ? {
              percentThousandths: judged.next.percentThousandths,
              state: judged.next.state,
              version: before.version + 1,
            }
          : { percentThousandths: before.percentThousandths, state: before.state, version: before.version },
      );
    }
  });
});

describe("a raise beyond the limit", () => {
  const name = "limited";
  const raise = {
    name,
    change: { action: "set", percentThousandths: 50_000 },
    role: "admin",
    fourEyes: { overThousandths: 10_000 },
  } as const;
  const approving = { ...raise, fourEyes: { ...raise.fourEyes, proposalId: "p" } };

  test("is refused to one alone, whatever the role, and whatever stands where the proposal should", async () => {
    await applyAll(store, name, [setTo(20)]);
    for (const wrong of [
      "",
      "nonsense",
      "[]",
      "{}",
      '{"id":"p"}',
      '{"id":"p","by":"mallory","percentThousandths":50000,"version":1}',
    ]) {
      await server.cli("SET", `cutover:{${name}}:proposal`, wrong);
      expect(await call(approving), wrong).toEqual(["refused", "approval_required"]);
    }
    await server.cli("DEL", `cutover:{${name}}:proposal`);
    await server.cli("HSET", `cutover:{${name}}:proposal`, "id", "p");
    expect(await call(approving)).toEqual(["refused", "approval_required"]);
    await server.cli("DEL", `cutover:{${name}}:proposal`);
    expect(await call(raise)).toEqual(["refused", "approval_required"]);
    expect(await stateOf(store, name)).toMatchObject({ version: 1, percentThousandths: 20_000 });
  });

  test("is made of two, and uses the proposal up", async () => {
    const proposal = { id: "p", by: "ann", percentThousandths: 50_000, version: 1 };
    await server.cli("SET", `cutover:{${name}}:proposal`, JSON.stringify(proposal));
    expect(await call(approving)).toEqual(["accepted", "1"]);
    expect(await stateOf(store, name)).toMatchObject({ updatedBy: "ann, approved by mallory", version: 2 });
    expect(await server.cli("EXISTS", `cutover:{${name}}:proposal`)).toBe(0);
  });
});
