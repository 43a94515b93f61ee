/**
 * Tells whom the configuration names what happens to the cutovers. Every instance sees each change; the one that leads the
 * cutover tells it, and so it is told once. Each other keeps it for a while, and tells it if the lead comes to it in that
 * time, for then the one that led may have died with it: with the same id, by which a receiver knows it again. What was
 * changed on one instance alone, and a proposal, is told by the instance that it was made on.
 *
 * Nothing waits for any of it: a change is told after it is in force, from a queue of its own.
 */
import { createHash } from "node:crypto";
import { type Clock, systemTimers, type Timers } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import type { Following } from "../state/follow/snapshot.ts";
import { initialState } from "../state/rules/model.ts";
import { createCourier, type DeliveryOutcome, type Receiver } from "./courier.ts";
import { chatText, type Message, messageOf, type NoticeKind, newsIn } from "./message.ts";
import type { WebhookCounts } from "./metrics.ts";
import { createQueue } from "./queue.ts";

export interface Notifier {
  /** A raise waits for another person. */
  proposed(
    cutover: string,
    proposal: { readonly id: string; readonly by: string; readonly reason: string },
  ): void;
  /** Something that no change of the state says; told once a version. */
  noticed(cutover: string, kind: "deadline_at_risk" | "guard_blind", told: Noticed): void;
  /** Whoever hears of what the guard makes of a cutover, and who is told when it is blind. */
  alsoJudged<Verdict>(
    judged: (cutover: string, verdict: Verdict) => void,
  ): (cutover: string, verdict: Verdict) => void;
  configure(config: Pick<Config, "webhooks">): void;
  /** What waits is told after the next start. Never rejects. */
  stop(): Promise<void>;
}

interface Noticed {
  readonly by: string;
  readonly reason: string;
  /** Tells two of a version apart. */
  readonly which?: string;
}

interface NotifierOptions {
  /** This instance's id. */
  readonly instance: string;
  readonly follower: Pick<Following, "current" | "onSwap">;
  /** Who leads a cutover: an id. */
  readonly leader: (cutover: string) => string | undefined;
  /** Where what waits is kept; without it, in memory alone. */
  readonly folder: string | undefined;
  readonly counts: WebhookCounts;
  readonly clock: Clock;
  readonly timers?: Timers;
  readonly log: Log;
}

type Webhook = Config["webhooks"][number];

/** How long an instance keeps what another is to tell: until a lease that ends with its holder is somebody else's. */
const keptMs = 30_000;
const lookEachMs = 500;

export async function openNotifier(
  config: Pick<Config, "webhooks">,
  options: NotifierOptions,
): Promise<Notifier> {
  const { instance, follower, leader, clock, timers = systemTimers } = options;
  const hooks = createHooks(options, timers);
  /** What whoever leads is to tell. */
  let kept: (News & { readonly cutover: string; readonly untilMs: number })[] = [];
  const seen = new Set<string>();
  let cancel: (() => void) | undefined;

  /** Told now by whoever leads; kept by the others. */
  function tellOnce(cutover: string, news: News): void {
    if (hooks.areNone()) return;
    if (leader(cutover) === instance) hooks.tell(news);
    else {
      kept.push({ ...news, cutover, untilMs: clock.monotonic() + keptMs });
      cancel ??= timers.after(lookEachMs, look);
    }
  }

  function look(): void {
    cancel = undefined;
    kept = kept.filter(({ cutover, untilMs, ...news }) => {
      const isMine = leader(cutover) === instance;
      if (isMine) hooks.tell(news);
      return !isMine && clock.monotonic() < untilMs;
    });
    if (kept.length > 0) cancel = timers.after(lookEachMs, look);
  }

  const leave = follower.onSwap((now, before) => {
    for (const [cutover, to] of now.states) {
      const from = before.states.get(cutover) ?? initialState();
      const kind = newsIn(from, to);
      if (kind === undefined) continue;
      const told = { cutover, kind, from, to };
      if (now.local?.has(cutover) !== true) tellOnce(cutover, { kind, message: messageOf(told) });
      else if (before.local?.has(cutover) !== true)
        hooks.tell({ kind, message: messageOf({ ...told, scope: "local", which: `local_${instance}` }) });
    }
  });

  const messageNow = (told: Omit<Parameters<typeof messageOf>[0], "to">) => {
    const to = follower.current().states.get(told.cutover) ?? initialState();
    return { kind: told.kind, message: messageOf({ ...told, to, at: new Date(clock.now()).toISOString() }) };
  };
  const noticed: Notifier["noticed"] = (cutover, kind, told) => {
    const news = messageNow({ cutover, kind, ...told });
    if (seen.has(news.message.data.id)) return;
    if (seen.size >= mostSeen) seen.clear();
    seen.add(news.message.data.id);
    tellOnce(cutover, news);
  };

  await hooks.start();
  hooks.configure(config);
  return {
    proposed: (cutover, { id: which, by, reason }) =>
      hooks.tell(messageNow({ cutover, kind: "proposal", by, reason, which })),
    noticed,
    alsoJudged: (judged) => (cutover, verdict) => {
      judged(cutover, verdict);
      if (verdict === "blind") noticed(cutover, "guard_blind", { by: "guard", reason: blindness });
    },
    configure: hooks.configure,
    async stop() {
      leave();
      cancel?.();
      await hooks.stop();
    },
  };
}

interface News {
  readonly kind: NoticeKind;
  readonly message: Message;
}

/** The receivers, and what waits for them. */
function createHooks({ instance, folder, counts, clock, log }: NotifierOptions, timers: Timers) {
  const queue = createQueue({ folder, id: instance, log, onDropped: () => counts.ended("none", "dropped") });
  counts.configure("none");
  counts.showWaiting(queue.size);
  let hooks = new Map<string, Hook>();
  let configured = "[]";
  return {
    start: queue.start,
    areNone: () => hooks.size === 0,
    configure({ webhooks }: Pick<Config, "webhooks">): void {
      const text = JSON.stringify(webhooks);
      if (text === configured) return;
      configured = text;
      for (const { courier } of hooks.values()) void courier.stop();
      hooks = new Map(
        webhooks.map((webhook) => {
          const receiver = receiverOf(webhook);
          const onOutcome = (outcome: DeliveryOutcome) => counts.ended(receiver.host, outcome);
          counts.configure(receiver.host);
          const courier = createCourier({ receiver, queue, clock, timers, log, onOutcome });
          return [receiver.digest, { webhook, receiver, courier }] as const;
        }),
      );
      queue.keep(new Set(hooks.keys()));
      for (const { courier } of hooks.values()) courier.wake();
    },
    tell({ kind, message }: News): void {
      for (const { webhook, receiver, courier } of hooks.values()) {
        if (!webhook.events.includes(kind)) continue;
        const body = JSON.stringify(webhook.format === "slack" ? { text: chatText(kind, message) } : message);
        queue.add({ to: receiver.digest, id: message.data.id, body, sinceMs: clock.now() });
        courier.wake();
      }
    },
    async stop() {
      await Promise.all([...hooks.values()].map(({ courier }) => courier.stop()));
      await queue.close();
    },
  };
}

interface Hook {
  readonly webhook: Webhook;
  readonly receiver: Receiver;
  readonly courier: ReturnType<typeof createCourier>;
}

const mostSeen = 1000;
const blindness = "an instance that serves does not say what it counts";

function receiverOf({ url, secret: secrets }: Webhook): Receiver {
  const digest = createHash("sha256").update(url).digest("base64url").slice(0, 16);
  return { url, digest, host: new URL(url).host, secrets };
}
