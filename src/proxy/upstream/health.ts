/**
 * Asks an upstream how it is, again and again: GET of a path, over an engine of its own, so that requests that hang
 * delay no check.
 *
 * Well is a whole answer of 200–399 within the timeout. `fall` answers in a row that are not make the upstream unwell,
 * `rise` that are make it well; until then it is what it was, and well to begin with. The next check begins `intervalMs`
 * after the end of the last.
 */
import type { Timers } from "../../base/clock.ts";
import type { Forwarding, ForwardRequest, ResponseSink, Upstream } from "./port.ts";

const fall = 3;
const rise = 2;

export interface HealthCheck {
  readonly isWell: boolean;
  /** Stops and closes the engine. */
  close(): Promise<void>;
}

interface HealthCheckOptions {
  /** For the checks alone. */
  readonly engine: Upstream;
  /** Value of the Host field. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  readonly intervalMs: number;
  /** From the beginning of a check to the end of its answer. */
  readonly timeoutMs: number;
  readonly timers: Timers;
  /** It has become well or unwell. */
  readonly onChange: (isWell: boolean) => void;
}

/** The first check begins at once. */
export function startHealthCheck(options: HealthCheckOptions): HealthCheck {
  const { engine, host, path, intervalMs, timeoutMs, timers, onChange } = options;
  const request: ForwardRequest = {
    method: "GET",
    target: path,
    fields: ["Host", host, "User-Agent", "cutover-health", "Accept", "*/*"],
    body: { kind: "none" },
  };
  let isWell = true;
  /** Answers in a row that say otherwise. */
  let otherwise = 0;
  let closed = false;
  let cancelNext = () => {};
  let endCheck = () => {};

  function check(): void {
    let status = 0;
    let over = false;
    const finish = (foundWell: boolean) => {
      if (over) return;
      over = true;
      cancelTimeout();
      if (closed) return;
      note(foundWell);
      cancelNext = timers.after(intervalMs, check);
    };
    const giveUp = () => {
      if (over) return;
      forwarding.abort();
      finish(false);
    };
    const sink: ResponseSink = {
      interim: () => {},
      head(head) {
        status = head.status;
      },
      data: () => true,
      end: () => finish(status < 400),
      failure: () => finish(false),
    };
    const forwarding: Forwarding = engine.forward(request, sink);
    const cancelTimeout = timers.after(timeoutMs, giveUp);
    endCheck = giveUp;
  }

  function note(foundWell: boolean): void {
    otherwise = foundWell === isWell ? 0 : otherwise + 1;
    if (otherwise < (isWell ? fall : rise)) return;
    otherwise = 0;
    isWell = foundWell;
    onChange(isWell);
  }

  check();
  return {
    get isWell() {
      return isWell;
    },
    async close() {
      closed = true;
      cancelNext();
      endCheck();
      await engine.close();
    },
  };
}
