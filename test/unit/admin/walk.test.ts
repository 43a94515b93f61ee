/**
 * Every state of the world, each alone and all pairs, as `status`, a frame of `watch`, the page and `--json` tell it: the
 * table of docs/states.md is made here (`npx vitest run test/unit/admin/walk.test.ts -u`), and no cell may say that all is
 * well where it is not.
 */
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { CutoverView } from "../../../src/admin/api/cutover-view.ts";
import { guardViewOf } from "../../../src/admin/api/guard/guard-view.ts";
import { createFleet } from "../../../src/admin/fleet.ts";
import { createViews } from "../../../src/admin/view.ts";
import { createClient } from "../../../src/cli/client.ts";
import { resultOf } from "../../../src/cli/failure.ts";
import { commonLines, statusView } from "../../../src/cli/screen/status-view.ts";
import { plainStyle } from "../../../src/cli/screen/terminal.ts";
import { createBoard } from "../../../src/cli/screen/watch-board.ts";
import { liveScreen } from "../../../src/cli/screen/watch-screen.ts";
import type { ApiAnswer } from "../../../src/cli/transport.ts";
import { renderConsole } from "../../../src/console/port.tsx";
import { staleWords } from "../../../src/console/words/liveness.ts";
import { createRoll } from "../../../src/state/follow/roll.ts";
import type { Contact } from "../../../src/state/follow/snapshot.ts";
import { initialState } from "../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import { createTraffic } from "../../../src/telemetry/traffic/traffic.ts";
import { adminContext } from "../../support/admin-context.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { createPaperTerminal } from "../../support/paper-terminal.ts";

const zone = process.env.TZ;
beforeAll(() => {
  process.env.TZ = "UTC";
  vi.useFakeTimers();
});
afterAll(() => {
  vi.useRealTimers();
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

/** What makes a state, and what must be said of it: `alone` without the store, where others cannot be heard of. */
const stores: Readonly<Record<string, { readonly contact: Contact; readonly says: RegExp }>> = {
  well: { contact: { up: true, stalenessMs: 10 }, says: /(?:)/ },
  gone: { contact: { up: false, stalenessMs: 12_000 }, says: /the store is out of reach for 12 s/ },
  frozen: { contact: { up: false, stalenessMs: 4000 }, says: /the store is out of reach for 4 s/ },
  "read-only": {
    contact: { up: true, stalenessMs: 10, word: "READONLY", refusedForMs: 9000 },
    says: /the store answers READONLY for 9 s/,
  },
  "out of memory": {
    contact: { up: true, stalenessMs: 10, word: "OOM", refusedForMs: 20_000 },
    says: /the store answers OOM for 20 s/,
  },
  "wrong password": {
    contact: { up: false, stalenessMs: 5000, word: "WRONGPASS" },
    says: /the store answers WRONGPASS for 5 s/,
  },
};

const instances: Readonly<Record<string, { readonly says: RegExp }>> = {
  well: { says: /(?:)/ },
  silent: { says: /applied on 2 of 3, one silent for 12 s, starts new journeys on new until/ },
  killed: { says: /applied on 2 of 3, one silent for 1 min, has started none on new since/ },
  draining: { says: /shop-3:8080 drains/ },
  "old version": { says: /applied on 2 of 3 that are heard of: shop-3:8080 at version 42/ },
};
/** Whatever the third one does, without a store that takes its record it is not heard of. */
const unheard = {
  away: /applied on 1 of 3, 2 not heard of without the store/,
  refusing: /applied on 1 of 3, 2 not heard of while the store takes no writes/,
};

const sides: Readonly<Record<string, { readonly says: RegExp }>> = {
  well: { says: /(?:)/ },
  hung: { says: /new: 138 in flight, oldest 9 s, none answered for 9 s/ },
  refusing: { says: /new: 40 of 40 requests failed/ },
  "500": { says: /new: 40 of 40 requests failed/ },
  "404": { says: /new: .*4xx/ },
};

const admins: Readonly<
  Record<string, { readonly answer: ApiAnswer<never> | undefined; readonly says: RegExp }>
> = {
  well: { answer: undefined, says: /(?:)/ },
  full: {
    answer: { kind: "unreachable", why: "the connection broke (ECONNRESET)", sent: true },
    says: /out of reach: the connection broke|trying again: the connection broke|STALE/,
  },
  closing: {
    answer: { kind: "unreachable", why: "connection refused", sent: false },
    says: /out of reach: connection refused|trying again: connection refused|STALE/,
  },
};

interface World {
  readonly store: string;
  readonly instance: string;
  readonly side: string;
  readonly admin: string;
}
const well: World = { store: "well", instance: "well", side: "well", admin: "well" };
const kinds = { store: stores, instance: instances, side: sides, admin: admins };
const parts = ["store", "instance", "side", "admin"] as const;

/** All well; each trouble alone; each two of different kinds together. */
function worlds(): World[] {
  const troubles = parts.flatMap((part) =>
    Object.keys(kinds[part])
      .filter((state) => state !== "well")
      .map((state) => ({ part, state })),
  );
  const alone = troubles.map(({ part, state }) => ({ ...well, [part]: state }));
  const pairs = troubles.flatMap((one, index) =>
    troubles
      .slice(index + 1)
      .filter(({ part }) => part !== one.part)
      .map((other) => ({ ...well, [one.part]: one.state, [other.part]: other.state })),
  );
  return [well, ...alone, ...pairs];
}

const start = Date.parse("2026-05-01T02:13:00.000Z");

/** The view that an instance gives in that world, at 02:14:00. */
async function viewIn({ store: storeState, instance: third, side }: World): Promise<CutoverView> {
  const time = createManualTime();
  const aheadMs = start - time.now();
  const clock = { now: () => time.now() + aheadMs, monotonic: time.monotonic };
  const roll = createRoll(clock);
  const stale = { afterMs: 30_000, legacy: ["checkout"] };
  const record = (n: number, version: number) => ({
    id: `id-${n}`,
    name: `shop-${n}:8080`,
    address: `shop-${n}:9900`,
    pid: 7000 + n,
    startedAt: "2026-04-30T00:00:00.000Z",
    seenAt: new Date(clock.now()).toISOString(),
    versions: { checkout: version },
    traffic: {},
    stale,
    config: { hash: "9f86d081884c", loadedAt: "2026-04-30T00:00:00.000Z" },
  });
  const member = (n: number, version: number, seenAtMs: number) => {
    const { traffic: _, seenAt: __, ...rest } = record(n, version);
    return { ...rest, seenAtMs };
  };
  // The third one is last heard of 72, 12 or 0 s ago, at the version before.
  const lastHeardMs = third === "killed" ? -12_000 : third === "silent" ? 48_000 : 60_000;
  const contact = stores[storeState]?.contact ?? { up: true, stalenessMs: 0 };
  // What takes no writes takes no records either: the others are not heard of from then on.
  const lookedMs = 60_000 - (contact.up ? Math.min(contact.refusedForMs ?? 0, 60_000) : contact.stalenessMs);
  const isTold = contact.up && contact.refusedForMs === undefined;
  const heard = Math.min(lastHeardMs, lookedMs);
  roll.saw({ nowMs: start + heard, members: [member(2, 43, start + heard), member(3, 42, start + heard)] });
  await time.advance(lookedMs);
  const isForgotten = third === "killed";
  const thirdMember = isForgotten ? [] : [member(3, 42, start + heard)];
  roll.saw({ nowMs: start + lookedMs, members: [member(2, 43, start + lookedMs), ...thirdMember] });
  await time.advance(60_000 - lookedMs);

  const traffic = createTraffic({ cutovers: ["checkout"], clock });
  const recorder = traffic.recorder("checkout", "pay");
  for (let n = 0; n < 40; n += 1) {
    recorder.record("legacy", "ok", 0.02, 200);
    if (side === "refusing") recorder.record("new", "connect_failed", 0.001);
    else if (side === "500") recorder.record("new", "server_error", 0.02, 500);
    else if (side === "404") recorder.record("new", "ok", 0.02, 404);
    else if (side === "well") recorder.record("new", "ok", 0.02, 200);
  }
  const figures = traffic.snapshot().checkout;
  const hung = {
    inFlight: 138,
    shoppers: 130,
    waiting: [["pay", 9000]],
    silentMs: 9000,
    answeredMs: null,
  };
  const own = {
    ...record(1, 43),
    traffic: {
      checkout: side === "hung" ? { ...figures, new: { ...figures?.new, flight: hung } } : figures,
    },
  };
  const isHeard = isTold && third !== "silent" && third !== "killed";
  const others = [
    ...(isTold ? [record(2, 43)] : []),
    ...(isHeard
      ? [
          {
            ...record(3, third === "old version" ? 42 : 43),
            ...(third === "draining" ? { phase: "draining" as const } : {}),
          },
        ]
      : []),
  ];
  const state = {
    ...initialState(),
    percentThousandths: 10_000,
    version: 43,
    updatedAt: "2026-05-01T02:00:00.000Z",
    updatedBy: "ana",
    reason: "step 2",
  };
  const context = adminContext({
    store: createMemoryStore({ clock }),
    follower: {
      current: () => ({ states: new Map([["checkout", state]]) }),
      onSwap: () => () => {},
      contact: () => contact,
      isStale: () => false,
      isDoubtful: () => false,
      refresh: async () => {},
    },
    instance: { id: "id-1", startedAt: own.startedAt },
    traffic: () => own.traffic,
    cutovers: { checkout: { legacy: "social-shop", new: "marketplace" } },
    clock,
    roll,
  });
  const views = createViews(context, createFleet(context), { known: () => undefined });
  return views.one("checkout", [own, ...others]);
}

const client = createClient({ url: new URL("http://shop-1:9900") });
const now = start + 60_000;
/** What each shows of it, as a person has it before them. */
function shown(view: CutoverView, answer: ApiAnswer<never> | undefined) {
  const options = { columns: 80, style: plainStyle, now };
  const failed = answer && resultOf(answer, { url: client.url });
  const failure = failed?.ok === false ? failed.failure.message : undefined;
  const status = [...commonLines([view], options), ...statusView([view], options)].join("\n");
  return {
    status: failure === undefined ? status : `! ${failure} (exit 3)`,
    watch: watched(view, answer?.kind === "unreachable" ? answer.why : undefined),
    page: textOf(`${answer === undefined ? "" : `<p class="warning">${staleWords}</p>`}${pageOf(view)}`),
    json: failure === undefined ? JSON.stringify(view) : `{"code":"${failure} (exit 3)"}`,
  };
}

/** The console on that cutover, by a person who may do all. */
function pageOf(view: CutoverView): string {
  const page = { links: {}, instance: "shop-1:8080", build: "1", locale: "en" } as const;
  return renderConsole(
    {
      page: { ...page, access: { isOpen: true, hasIssuer: false } },
      who: { name: "anonymous", role: "admin" },
      cutovers: [view],
      chosen: view.name,
      told: { [view.name]: { guard: guardViewOf(view.name, undefined, []), history: [] } },
      instances: [],
      at: new Date(now).toISOString(),
      zone: "UTC",
    },
    "",
  );
}

/** @param lost why the connection is gone, two seconds after the last word */
function watched(view: CutoverView, lost: string | undefined): string {
  const terminal = { ...createPaperTerminal(), rows: () => 60 };
  let at = now;
  const screen = liveScreen({ terminal, now: () => at, client });
  const board = createBoard(undefined);
  board.take({ event: "snapshot", data: JSON.stringify([view]) });
  screen.show({ kind: "snapshot", changed: [view] }, board);
  if (lost !== undefined) {
    at += 2000;
    screen.lost(lost, now, board);
  }
  screen.end();
  return stripVTControlCharacters(terminal.stdout().split("\u001b[H").at(-1) ?? "");
}

function textOf(page: string): string {
  return page
    .replaceAll(/<(style|script)[^>]*>.*?<\/\1>/gs, "")
    .replaceAll(/<p class="warning">/g, "\n! ")
    .replaceAll(/<[^>]+>/g, "\n")
    .replaceAll("&#39;", "'");
}

/** The sentences that stand out, each on one line. */
function alarms(text: string): string[] {
  const found: string[] = [];
  let indent = -1;
  for (const line of text.split("\n")) {
    const [, space = "", rest = ""] = /^( *)(.*)$/.exec(line) ?? [];
    if (/^[!◐■] /.test(rest)) {
      indent = space.length + 2;
      found.push(rest.replace(/^! /, ""));
    } else if (space.length === indent && rest !== "") found.push(`${found.pop()} ${rest.trim()}`);
    else indent = -1;
  }
  return found;
}

const nameOf = (world: World) =>
  parts
    .filter((part) => world[part] !== "well")
    .map((part) => `${part} ${world[part]}`)
    .join(", ") || "all well";

/** What must be said in that world. */
function demanded({ store, instance, side, admin }: World): RegExp[] {
  const { up = true, refusedForMs } = stores[store]?.contact ?? {};
  const isHeard = up && refusedForMs === undefined;
  const ofAdmin = admins[admin]?.says ?? /(?:)/;
  if (admin !== "well") return [ofAdmin];
  return [
    stores[store]?.says ?? /(?:)/,
    isHeard ? (instances[instance]?.says ?? /(?:)/) : up ? unheard.refusing : unheard.away,
    sides[side]?.says ?? /(?:)/,
  ];
}

test("no cell says that all is well where it is not, and none cries where all is; the table is docs/states.md", async () => {
  const rows: string[] = [];
  for (const world of worlds()) {
    const view = await viewIn(world);
    const cells = shown(view, admins[world.admin]?.answer);
    const name = nameOf(world);
    for (const [surface, text] of Object.entries(cells)) {
      const flowed = text.replaceAll(/\s+/g, " ");
      for (const says of demanded(world)) expect(flowed, `${name}: ${surface}`).toMatch(says);
    }
    const said = { status: alarms(cells.status), watch: alarms(cells.watch), page: alarms(cells.page) };
    const codes = [...cells.json.matchAll(/"code":"([^"]+)"/g)].map(([, code]) => `\`${code}\``);
    const isWell = name === "all well";
    for (const sentences of [said.status, said.watch, said.page, codes]) {
      expect(sentences.length > 0, name).toBe(!isWell);
    }
    const list = (sentences: readonly string[]) => (isWell ? "nothing" : sentences.join("<br>"));
    const sameAs = (sentences: readonly string[]) =>
      sentences.join() === said.status.join() && !isWell ? "the same" : list(sentences);
    const page = said.page.map((each) => each.replaceAll(/(\d\d:\d\d:\d\d) UTC/g, "$1"));
    rows.push(
      `| ${name} | ${list(said.status)} | ${sameAs(said.watch)} | ${sameAs(page)} | ${isWell ? "nothing" : codes.join(" ")} |`,
    );
  }
  expect(rows).toHaveLength(98);
  const text = `# What is said of each state of the world

Made by a test (\`npx vitest run test/unit/admin/walk.test.ts -u\`): each trouble alone and each two together, at 02:14:00, of a cutover at 10% on three instances with \`onStale: legacy\`. Left out is what is always there: percent, state, version and the figures of both sides. *The same*: the sentences of \`status\`; the page says the time in UTC. In \`--json\` they are \`warnings\`, by these codes.

| the world | \`status\` | \`watch\` | page | \`--json\` |
|---|---|---|---|---|
${rows.join("\n")}
`;
  await expect(text).toMatchFileSnapshot("../../../docs/states.md");
});
