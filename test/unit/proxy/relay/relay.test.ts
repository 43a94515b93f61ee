import { expect, test } from "vitest";
import type { Answer, RequestHead } from "../../../../src/proxy/inbound.ts";
import { noTaps, type RelayEvents, relay, type Tap } from "../../../../src/proxy/relay/relay.ts";
import type { ForwardRequest, ResponseSink, Upstream } from "../../../../src/proxy/upstream/port.ts";
import { plainMarking, relayContext, wayTo } from "../../../support/ways.ts";

const request: ForwardRequest = { method: "GET", target: "/cart", fields: [], body: { kind: "none" } };
const requestHead: RequestHead = {
  method: "GET",
  target: "/cart",
  fields: [],
  version: "1.1",
  framing: { kind: "none" },
  peer: { address: "192.0.2.1", encrypted: false },
};

/** One attempt: what the client and the exchange are told, in order, and the sink that the engine was given. */
function send(taps: readonly Tap[]) {
  const told: string[] = [];
  const sinks: ResponseSink[] = [];
  let resumed = 0;
  const upstream: Upstream = {
    name: "shop",
    forward(_request, sink) {
      sinks.push(sink);
      const resume = () => {
        resumed += 1;
      };
      return { resume, abort: () => {} };
    },
    close: async () => {},
  };
  const answer: Answer = {
    headSent: () => false,
    interim: () => {},
    head: ({ status }) => void told.push(`client head ${status}`),
    write: (chunk) => told.push(`client data ${chunk.toString()}`) > 0,
    end: () => void told.push("client end"),
    abort: () => {},
    onDrain: () => {},
    onGone: () => {},
  };
  const events: RelayEvents = {
    answered: (status) => {
      told.push(`answered ${status}`);
      return [];
    },
    ended: () => void told.push("ended"),
    switched: () => () => {},
    misbehaved: () => {},
    failed: ({ code }) => void told.push(`failed ${code}`),
  };
  relay(
    relayContext,
    { way: wayTo(upstream), marking: plainMarking },
    request,
    { head: requestHead, answer },
    events,
    taps,
  );
  return { told, sinks, resumed: () => resumed };
}

function answerOk(sink: ResponseSink | undefined): void {
  sink?.head({ status: 200, reason: "", fields: [] });
  sink?.data(Buffer.from("x"));
  sink?.end([]);
}

/** A tap that notes what it sees and passes it on. */
function noting(name: string, seen: string[]): Tap {
  return (next) => ({
    interim: (head) => next.interim(head),
    head(head) {
      seen.push(`${name} head ${head.status}`);
      next.head(head);
    },
    data(chunk) {
      seen.push(`${name} data ${chunk.toString()}`);
      return next.data(chunk);
    },
    end(trailers) {
      seen.push(`${name} end`);
      next.end(trailers);
    },
    failure(failure) {
      seen.push(`${name} failure ${failure.code}`);
      next.failure(failure);
    },
  });
}

test("an answer without taps goes from the engine to the client by nothing else", () => {
  const { told, sinks } = send(noTaps);
  answerOk(sinks[0]);
  expect(told).toEqual(["answered 200", "client head 200", "client data x", "client end", "ended"]);
});

test("every tap sees every part of the answer, the first tap first, before the client has it", () => {
  const seen: string[] = [];
  const { told, sinks } = send([noting("first", seen), noting("second", seen)]);
  answerOk(sinks[0]);
  expect(seen).toEqual([
    ...["first head 200", "second head 200"],
    ...["first data x", "second data x"],
    ...["first end", "second end"],
  ]);
  expect(told).toEqual(["answered 200", "client head 200", "client data x", "client end", "ended"]);
});

test("taps see a failure before the exchange does", () => {
  const seen: string[] = [];
  const { told, sinks } = send([noting("first", seen), noting("second", seen)]);
  sinks[0]?.failure({ outcome: "reset", sent: true, code: "ECONNRESET" });
  expect(seen).toEqual(["first failure ECONNRESET", "second failure ECONNRESET"]);
  expect(told).toEqual(["failed ECONNRESET"]);
});

test("a tap that holds the answer back asks the engine for more once it lets go of it", () => {
  const kept: Buffer[] = [];
  let letGo = () => {};
  const late: Tap = (next, resume) => {
    letGo = () => {
      for (const chunk of kept) next.data(chunk);
      resume();
    };
    return {
      interim: (head) => next.interim(head),
      head: (head) => next.head(head),
      data: (chunk) => kept.push(chunk) < 1,
      end: (trailers) => next.end(trailers),
      failure: (failure) => next.failure(failure),
    };
  };
  const seen: string[] = [];
  const { told, sinks, resumed } = send([noting("first", seen), late]);
  sinks[0]?.head({ status: 200, reason: "", fields: [] });
  expect(sinks[0]?.data(Buffer.from("x"))).toBe(false);
  expect([told, resumed()]).toEqual([["answered 200", "client head 200"], 0]);
  letGo();
  expect(told.at(-1)).toBe("client data x");
  expect(resumed()).toBe(1);
});
