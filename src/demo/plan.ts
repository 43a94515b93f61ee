/**
 * The demonstration's plan: from 1 to 100% by itself, each step for seconds in place of days, or against a date that is too
 * near, which is said before the first step. Started and followed by the same calls that anybody makes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import * as z from "zod";
import type { Config } from "../config/schema.ts";

export interface DemoPlan {
  /** `too-late`: a window keeps it, and its date is too near. */
  readonly kind: "on-time" | "too-late";
  /** Of each step; default 5 s. */
  readonly dwellMs?: number;
  /** Default those of a plan that says nothing. */
  readonly steps?: readonly number[];
}

const usualDwellMs = 5000;
const usualSteps = [1, 5, 10, 25, 50, 99, 100];

/** The configuration with the plan in its first cutover. PURE. @param nowMs since the epoch */
export function planned(config: Config, plan: DemoPlan, nowMs: number): Config {
  const { kind, dwellMs: dwell = usualDwellMs, steps = usualSteps } = plan;
  const [named] = Object.entries(config.cutovers);
  if (named === undefined) return config;
  const [name, cutover] = named;
  // What stands is at least looked at once a second.
  const longMs = steps.length * (dwell + 10_000);
  const isLate = kind === "too-late";
  const windowMs = 3 * dwell;
  const window = {
    deny: "raise",
    from: nowMs,
    to: nowMs + windowMs,
    reason: "the bank has maintenance",
  } as const;
  return {
    ...config,
    cutovers: {
      ...config.cutovers,
      [name]: {
        ...cutover,
        plan: { steps: [...steps], dwell, advance: "auto", windows: isLate ? [window] : [] },
        deadline: { at: nowMs + (isLate ? windowMs : 2 * longMs), reason: "the law" },
      },
    },
  };
}

const shown = z.object({
  status: z.string(),
  because: z.string(),
  steps: z.array(z.number()),
  dwellSeconds: z.number(),
  done: z.array(z.object({ percent: z.number(), by: z.string(), because: z.string() })),
  waiting: z.array(z.object({ gate: z.string(), text: z.string() })),
  deadline: z.object({ at: z.string(), reason: z.string() }).nullable(),
  projection: z.object({ finish: z.string().nullable(), against: z.string().nullable() }).nullable(),
});
type Shown = z.output<typeof shown>;

interface Followed {
  readonly adminUrl: string;
  /** The cutover's name. */
  readonly name: string;
  readonly print: (text: string) => void;
}

const patienceMs = 2000;
const lookEachMs = 500;

/** Starts the plan, and says each step until it is over. @returns ends the following, not the plan */
export function followPlan({ adminUrl, name, print }: Followed): () => Promise<void> {
  const stop = new AbortController();
  const url = (rest = "") => new URL(`/api/v1/cutovers/${name}/plan${rest}`, adminUrl);

  async function call(method: "GET" | "POST", at: URL, body?: object): Promise<unknown> {
    const answer = await request(at, {
      method,
      ...{ reset: true, headersTimeout: patienceMs, bodyTimeout: patienceMs, signal: stop.signal },
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    return await answer.body.json();
  }

  async function follow(): Promise<void> {
    print(outlook(shown.parse(await call("GET", url()))));
    const started = z.object({ detail: z.string().optional(), version: z.int().optional() });
    const { detail, version } = started.parse(await call("POST", url("/start"), { reason: "demo --plan" }));
    if (version === undefined) return print(`plan: it is not started: ${detail ?? "no word why"}`);
    let told = 0;
    let waited = "";
    while (!stop.signal.aborted) {
      const plan = shown.parse(await call("GET", url()));
      for (const { percent, by, because } of plan.done.slice(told)) {
        print(`plan: ${percent}% by ${by}: ${because}`);
      }
      told = plan.done.length;
      const waits = plan.waiting
        .filter(({ gate }) => gate !== "dwell")
        .map(({ gate, text }) => `${gate}: ${text}`);
      if (waits.join() !== waited && waits.length > 0) print(`plan: it waits for ${waits.join(", ")}`);
      waited = waits.join();
      if (plan.status !== "running") return print(`plan: ${plan.status}: ${plan.because}`);
      await sleep(lookEachMs, undefined, { signal: stop.signal });
    }
  }

  const following = follow().catch((error: unknown) => {
    if (stop.signal.aborted) return;
    print(`plan: it cannot be followed: ${error instanceof Error ? error.message : "an unknown failure"}`);
  });
  return async () => {
    stop.abort();
    await following;
  };
}

/** What is said of it before the first step. PURE. */
function outlook({ steps, dwellSeconds, deadline, projection }: Shown): string {
  const finish = projection?.finish ?? null;
  const told = [
    `plan: ${steps.join(", ")}%, each for ${dwellSeconds} s`,
    finish === null ? "it never finishes" : `finish ${finish} at the soonest`,
    ...(deadline === null
      ? []
      : [`${deadline.reason} says ${deadline.at}: ${projection?.against ?? "not known"}`]),
  ];
  return told.join("; ");
}
