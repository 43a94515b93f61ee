/** A response sink that writes down what an engine calls, and complains when the order of the port is broken. */
import type { Failure, ResponseHead, ResponseSink } from "../../src/proxy/upstream/port.ts";

export interface Recording extends ResponseSink {
  readonly interims: ResponseHead[];
  readonly heads: ResponseHead[];
  body(): Buffer;
  octets(): number;
  trailers(): readonly string[] | undefined;
  failures(): readonly Failure[];
  /** Names of the calls, in order; data only once. */
  readonly calls: string[];
  /** Calls that should not have come. */
  readonly faults: string[];
  /** Resolves at `end` or `failure`. */
  readonly over: Promise<void>;
  isOver(): boolean;
}

/** @param wantsMore answers each data call; true when absent */
export function recordingSink(wantsMore: (chunk: Buffer) => boolean = () => true): Recording {
  const interims: ResponseHead[] = [];
  const heads: ResponseHead[] = [];
  const chunks: Buffer[] = [];
  const failures: Failure[] = [];
  const calls: string[] = [];
  const faults: string[] = [];
  let trailers: readonly string[] | undefined;
  let octets = 0;
  let isOver = false;
  let finish = () => {};
  const over = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const note = (call: string, allowed: boolean) => {
    if (isOver || !allowed) faults.push(call);
    if (call !== "data" || calls.at(-1) !== "data") calls.push(call);
  };
  return {
    interims,
    heads,
    calls,
    faults,
    over,
    isOver: () => isOver,
    body: () => Buffer.concat(chunks),
    octets: () => octets,
    trailers: () => trailers,
    failures: () => failures,
    interim(head) {
      note("interim", heads.length === 0);
      interims.push(head);
    },
    head(head) {
      note("head", heads.length === 0);
      heads.push(head);
    },
    data(chunk) {
      note("data", heads.length === 1);
      chunks.push(Buffer.from(chunk));
      octets += chunk.length;
      return wantsMore(chunk);
    },
    end(received) {
      note("end", heads.length === 1);
      trailers = received;
      isOver = true;
      finish();
    },
    failure(failure) {
      note("failure", true);
      failures.push(failure);
      isOver = true;
      finish();
    },
  };
}
