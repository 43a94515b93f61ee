/**
 * Whether an answer below 500 is a failure of its side by the route's own word (`failure`): a GraphQL error under a 200, a
 * checkout refused with a 422. The answer is looked at as it passes: nothing of it is kept back or changed. Of a body no
 * more is kept than `owners.learnBody`; one that is larger, that goes on and on or that cannot be read tells nothing, is
 * counted, and the answer goes by its status.
 */
import { anyOf } from "../../../decide/answer.ts";
import type { BodyValues } from "../../../decide/body.ts";
import type { FailureRule } from "../../orders.ts";
import type { Tap } from "../../relay/relay.ts";
import { type Recorded, recordNotice } from "../../settle.ts";
import type { ResponseHead } from "../../upstream/port.ts";
import type { UnreadAnswer } from "../../witness.ts";
import { isStream, mayBeRead, readAnswer } from "./reading.ts";

/** @param limit most bytes of a body that are looked at */
export function watchingFailure(exchange: Recorded, { conditions, looks }: FailureRule, limit: number): Tap {
  return (next) => {
    const { fieldNames } = exchange.context;
    let head: ResponseHead | undefined;
    let names: readonly string[] = [];
    /** What came of a body that matters; absent once it does not. */
    let chunks: Buffer[] | undefined;
    let length = 0;

    const judge = ({ status, fields }: ResponseHead, body: BodyValues | "empty" | undefined) => {
      const verdict = anyOf(conditions, { status, fields, fieldNames: names, body });
      if (verdict === "holds") exchange.hasFailed = true;
      return verdict;
    };
    const giveUp = (why: UnreadAnswer["why"]) => {
      chunks = undefined;
      recordNotice(exchange, { kind: "unread_answer", why });
    };
    const readWhole = (of: ResponseHead, whole: Buffer) => {
      chunks = undefined;
      const { body, unread } = readAnswer({ looks, limit }, of.fields, names, { whole });
      if (unread !== undefined) giveUp(unread);
      else if (judge(of, body) === "unknown") giveUp("too_large");
    };
    return {
      interim: (received) => next.interim(received),
      head(received) {
        head = received;
        names = fieldNames.of(received.fields);
        if (judge(received, undefined) === "unknown") {
          if (isStream(received.fields, names)) giveUp("stream");
          else chunks = [];
        }
        next.head(received);
      },
      data(chunk) {
        if (chunks !== undefined && head !== undefined) {
          length += chunk.length;
          const isPromising = chunks.length > 0 || mayBeRead(head.fields, names, chunk);
          if (isPromising && length <= limit) chunks.push(chunk);
          else giveUp(isPromising ? "too_large" : "not_json");
        }
        return next.data(chunk);
      },
      end(trailers) {
        if (chunks !== undefined && head !== undefined) readWhole(head, Buffer.concat(chunks, length));
        next.end(trailers);
      },
      failure: (failed) => next.failure(failed),
    };
  };
}
