/**
 * The stream of events, opened again whenever it is silent: how old all is comes from its ticks and from answers to
 * polls, never from whether a connection looks open.
 */
import type { CutoverView, MetricsEvent } from "../../admin/api/cutover-view.ts";
import type { TickEvent } from "../../admin/api/instance-view.ts";
import { liveForMs, retryAfterMs } from "../words/liveness.ts";

export interface Heard {
  snapshot(cutovers: readonly CutoverView[]): void;
  change(view: CutoverView): void;
  metrics(figures: MetricsEvent): void;
  /** RFC 3339, the server's clock. */
  tick(serverTime: string): void;
  /** Each half second: how old what was heard last is. */
  age(ms: number): void;
  /** Whoever was signed in is not any more. */
  signedOut(): void;
}

const lookMs = 500;
const pollMs = 5000;

/** @param root the path that the API lies under; it ends in a slash */
export function openLive(root: string, heard: Heard): { look(): void } {
  let lastAt = performance.now();
  let stream: EventSource | undefined;
  let openedAt = 0;
  let failures = 0;
  let retryAt = 0;
  let polledAt = 0;

  const isSilent = () => performance.now() - lastAt > liveForMs;

  function on<T>(name: string, tell: (data: T) => void): void {
    stream?.addEventListener(name, (event) => {
      lastAt = performance.now();
      failures = 0;
      tell(JSON.parse(event.data));
    });
  }

  function open(): void {
    stream?.close();
    openedAt = performance.now();
    stream = new EventSource(`${root}api/v1/events`);
    on<readonly CutoverView[]>("snapshot", heard.snapshot);
    on<CutoverView>("change", heard.change);
    on<MetricsEvent>("metrics", heard.metrics);
    on<TickEvent>("tick", ({ serverTime }) => heard.tick(serverTime));
    stream.addEventListener("error", () => {
      // Its own way of trying again knows no jitter and gives up at a 401.
      stream?.close();
      stream = undefined;
      failures += 1;
      retryAt = performance.now() + retryAfterMs(failures, Math.random());
    });
  }

  /** While the stream is silent: what an answer tells is as good as a tick. */
  async function poll(): Promise<void> {
    polledAt = performance.now();
    try {
      const answer = await fetch(`${root}api/v1/cutovers`, {
        cache: "no-store",
        signal: AbortSignal.timeout(4000),
      });
      if (answer.status === 401) heard.signedOut();
      if (!answer.ok) return;
      const serverTime = answer.headers.get("date");
      heard.snapshot(await answer.json());
      lastAt = performance.now();
      if (serverTime !== null) heard.tick(new Date(serverTime).toISOString());
    } catch {
      // The age says it.
    }
  }

  function look(): void {
    const now = performance.now();
    if (isSilent()) {
      const isHanging = stream !== undefined && now - openedAt > liveForMs;
      if (isHanging || (stream === undefined && now >= retryAt)) open();
      if (now - polledAt > pollMs) void poll();
    } else if (stream === undefined && now >= retryAt) open();
    heard.age(now - lastAt);
  }

  open();
  setInterval(look, lookMs);
  for (const name of ["pageshow", "online"]) addEventListener(name, look);
  document.addEventListener("visibilitychange", look);
  return { look };
}
