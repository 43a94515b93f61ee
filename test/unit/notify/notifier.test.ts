/** Messages on their way to real receivers: well, slow, failing, lying and gone. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Log } from "../../../src/base/log.ts";
import { webhook } from "../../../src/config/webhooks/webhook-schema.ts";
import { createCourier } from "../../../src/notify/courier.ts";
import { createWebhookCounts } from "../../../src/notify/metrics.ts";
import { type Notifier, openNotifier } from "../../../src/notify/notifier.ts";
import { createQueue } from "../../../src/notify/queue.ts";
import type { Snapshot } from "../../../src/state/follow/snapshot.ts";
import { type CutoverState, initialState } from "../../../src/state/rules/model.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { eventually } from "../../support/until.ts";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const silent: Log = { info: () => {}, warn: () => {}, error: () => {} };
const endings: (() => unknown)[] = [];
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-notify-"));
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await rm(folder, { recursive: true, force: true });
});

type Behave = (request: IncomingMessage, response: ServerResponse) => void;
const well: Behave = (_, response) => response.writeHead(204).end();

async function startReceiver(behave: Behave = well) {
  const receiver = { behave, taken: [] as { id: string; body: string }[], url: "" };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    receiver.taken.push({ id: `${request.headers["webhook-id"]}`, body });
    receiver.behave(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/T0/token`;
  endings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return receiver;
}

const soon = (what: string, isSo: () => Promise<boolean>) => eventually(what, isSo, 5000);

interface Member {
  readonly notifier: Notifier;
  change(next: Partial<CutoverState>, isLocal?: boolean): void;
  readonly registry: Registry;
}

function createFleet(hooks: readonly object[]) {
  const time = createManualTime();
  const lead = { of: "one" as string | undefined };
  const config = { webhooks: hooks.map((given) => webhook.parse(given)) };
  async function open(instance: string, log = silent): Promise<Member> {
    const listeners = new Set<(now: Snapshot, before: Snapshot) => void>();
    let snapshot: Snapshot = { states: new Map([["checkout", { ...initialState(), version: 1 }]]) };
    const registry = new Registry();
    const notifier = await openNotifier(config, {
      instance,
      follower: {
        current: () => snapshot,
        onSwap(listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      leader: () => lead.of,
      folder,
      counts: createWebhookCounts(registry),
      clock: time,
      timers: time,
      log,
    });
    endings.push(() => notifier.stop());
    return {
      notifier,
      registry,
      change(next, isLocal = false) {
        const before = snapshot;
        const state = before.states.get("checkout") ?? initialState();
        const local = new Set(isLocal ? ["checkout"] : []);
        snapshot = {
          states: new Map([["checkout", { ...state, version: state.version + 1, ...next }]]),
          local,
        };
        for (const listener of listeners) listener(snapshot, before);
      },
    };
  }
  return { time, lead, open };
}

const raise = { percentThousandths: 10_000, updatedBy: "ann", reason: "go" } as const;

test("the instance that leads tells a change, and each receiver what it asks for in its own form", async () => {
  const [all, chat] = [await startReceiver(), await startReceiver()];
  const { time, open } = createFleet([
    { url: all.url, secret },
    { url: chat.url, format: "slack", events: ["rollback"] },
  ]);
  const [one, two] = [await open("one"), await open("two")];
  for (const member of [one, two]) member.change(raise);
  for (const member of [one, two]) member.change({ state: "rolled_back", percentThousandths: 0 });
  await soon("told", async () => all.taken.length === 2 && chat.taken.length === 1);
  await time.advance(31_000);
  expect(all.taken.map(({ id }) => id)).toEqual(["cutover_checkout_2_raise", "cutover_checkout_3_rollback"]);
  expect(JSON.parse(chat.taken[0]?.body ?? "")).toEqual({
    text: "checkout: ROLLED BACK, 10% → 0% on new, by ann: go (version 3)",
  });
  expect(await one.registry.metrics()).toContain('outcome="delivered"} 2');
});

test("another tells it with the same id when the lead comes to it soon, and not later", async () => {
  const all = await startReceiver();
  const { time, lead, open } = createFleet([{ url: all.url, secret }]);
  lead.of = "somebody who died";
  const one = await open("one");
  one.change(raise);
  await time.advance(10_000);
  expect(all.taken).toEqual([]);
  lead.of = "one";
  await time.advance(1000);
  await soon("told", async () => all.taken.length === 1);
  expect(all.taken[0]?.id).toBe("cutover_checkout_2_raise");
  lead.of = undefined;
  one.change({ state: "held" });
  await time.advance(31_000);
  lead.of = "one";
  await time.advance(5000);
  expect(all.taken).toHaveLength(1);
});

test("what an instance was told alone, a proposal and a blind guard are told too, the last once a version", async () => {
  const all = await startReceiver();
  const { lead, open } = createFleet([{ url: all.url, secret }]);
  const one = await open("one");
  lead.of = "two";
  one.change({ state: "rolled_back" }, true);
  one.notifier.proposed("checkout", { id: "ab12", by: "ann", reason: "more" });
  lead.of = "one";
  const judged: unknown[] = [];
  const hear = one.notifier.alsoJudged((_, verdict: string | undefined) => judged.push(verdict));
  for (const verdict of ["blind", "healthy", "blind", undefined]) hear("checkout", verdict);
  await soon("told", async () => all.taken.length === 3);
  expect(all.taken.map(({ id }) => id)).toEqual([
    "cutover_checkout_2_rollback_local_one",
    "cutover_checkout_2_proposal_ab12",
    "cutover_checkout_2_guard_blind",
  ]);
  expect(judged).toHaveLength(4);
});

test("a deadline at risk is told once a version for what it has become, by whoever leads then", async () => {
  const all = await startReceiver();
  const { time, lead, open } = createFleet([{ url: all.url, secret }]);
  const [one, two] = [await open("one"), await open("two")];
  for (const which of ["tight", "cannot-be-met", "tight"]) {
    for (const { notifier } of [one, two]) {
      notifier.noticed("checkout", "deadline_at_risk", { by: "plan", reason: which, which });
    }
  }
  await soon("told", async () => all.taken.length === 2);
  await time.advance(31_000);
  lead.of = "two";
  await time.advance(5000);
  expect(all.taken.map(({ id }) => id)).toEqual([
    "cutover_checkout_1_deadline_at_risk_tight",
    "cutover_checkout_1_deadline_at_risk_cannot-be-met",
  ]);
});

test.each<[string, Behave, number]>([
  ["that fails", (_, response) => response.writeHead(500).end(), 1],
  ["that lies with a redirect", (_, response) => response.writeHead(302, { location: "/other" }).end(), 1],
  ["that breaks off", (_, response) => response.destroy(), 1],
])("a receiver %s is told again, in order, later each time", async (_, behave) => {
  const all = await startReceiver(behave);
  const { time, open } = createFleet([{ url: all.url, secret }]);
  const one = await open("one");
  one.change(raise);
  one.change({ state: "held" });
  await soon("asked", async () => all.taken.length === 1);
  await soon("counted", async () => (await one.registry.metrics()).includes('outcome="failed"} 1'));
  await time.advance(1000);
  await soon("asked again", async () => all.taken.length === 2);
  await soon("counted", async () => (await one.registry.metrics()).includes('outcome="failed"} 2'));
  all.behave = well;
  await time.advance(1400);
  expect(all.taken).toHaveLength(2);
  await time.advance(600);
  await soon("told", async () => all.taken.length === 4);
  expect(all.taken.map(({ id }) => id).slice(2)).toEqual([
    "cutover_checkout_2_raise",
    "cutover_checkout_3_hold",
  ]);
});

test("a receiver that does not answer is waited for so long, one that never ends its answer is not", async () => {
  const slow = await startReceiver(() => {});
  const endless = await startReceiver((_, response) => response.writeHead(200).write("x".repeat(1000)));
  const outcomes: string[] = [];
  const items = [slow, endless].map(({ url }) => ({ to: url, id: "m", body: "{}", sinceMs: 0 }));
  for (const { url } of [slow, endless]) {
    const time = createManualTime();
    const queue = createQueue({ folder: undefined, id: "q", log: silent, onDropped: () => {} });
    for (const item of items) queue.add(item);
    const courier = createCourier({
      receiver: { url, digest: url, host: "h", secrets: [] },
      queue,
      clock: { now: () => 0 },
      timers: time,
      log: silent,
      onOutcome: (outcome) => outcomes.push(outcome),
      answerMs: 200,
    });
    endings.push(() => courier.stop());
    courier.wake();
    await soon("an outcome", async () => outcomes.length > 0);
    expect(outcomes.splice(0)).toEqual([url === slow.url ? "failed" : "delivered"]);
  }
});

test("one that says it is gone is told no more of that message, and nobody is told for longer than a day", async () => {
  const all = await startReceiver((_, response) => response.writeHead(410).end());
  const { time, open } = createFleet([{ url: all.url, secret }]);
  const one = await open("one");
  one.change(raise);
  const dropped = (count: number) => async () =>
    (await one.registry.metrics()).includes(`outcome="dropped"} ${count}`);
  await soon("dropped", dropped(1));
  all.behave = (_, response) => response.writeHead(500).end();
  one.change({ state: "held" });
  await soon("asked", async () => all.taken.length === 2);
  await soon("failed", async () => (await one.registry.metrics()).includes('outcome="failed"} 1'));
  await time.advance(86_400_000);
  await soon("dropped", dropped(2));
});

test("what waits outlives its process, without a secret in the file, and no line of the log tells the path", async () => {
  const all = await startReceiver((_, response) => response.writeHead(500).end());
  const said: string[] = [];
  const write = (fields: object, text: string) => void said.push(JSON.stringify(fields) + text);
  const { open } = createFleet([{ url: all.url, secret }]);
  const one = await open("one", { info: write, warn: write, error: write });
  one.change(raise);
  await soon("said", async () => said.length === 1);
  await one.notifier.stop();
  const [name = ""] = await readdir(folder);
  const kept = await readFile(join(folder, name), "utf8");
  expect(kept).toContain("cutover_checkout_2_raise");
  for (const text of [kept, ...said]) {
    expect(text).not.toContain("token");
    expect(text).not.toContain(secret);
  }
  all.behave = well;
  all.taken.length = 0;
  await open("again");
  await soon("told", async () => all.taken.length === 1);
  expect(all.taken[0]?.id).toBe("cutover_checkout_2_raise");
});

test("a queue that is full lets the oldest go, and counts it", () => {
  let dropped = 0;
  const onDropped = () => {
    dropped += 1;
  };
  const queue = createQueue({ folder: undefined, id: "q", most: 2, log: silent, onDropped });
  for (const id of ["a", "b", "b", "c"]) queue.add({ to: "r", id, body: "", sinceMs: 0 });
  expect([queue.next("r")?.id, queue.size(), dropped]).toEqual(["b", 2, 1]);
  queue.keep(new Set(["other"]));
  expect(queue.size()).toBe(0);
});
