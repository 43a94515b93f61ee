/** What is said of a request on its spans: names of the configuration and words of this program, nothing of the request's own. */
import type { Attributes } from "@opentelemetry/api";
import type { Outcome } from "../../proxy/outcome.ts";
import type { ExchangeRecord } from "../../proxy/witness.ts";
import { percentToNumber } from "../../state/rules/percent.ts";

const methods: ReadonlySet<string> = new Set(
  "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT".split(" "),
);

/** A method that is none of HTTP's is the client's own text. */
export function methodOf({ method }: Pick<ExchangeRecord, "method">): string {
  return methods.has(method) ? method : "_OTHER";
}

/** Of both spans. */
export function attributesOf(record: ExchangeRecord, outcome: Outcome): Attributes {
  const { cutover, route, status, code } = record;
  return {
    "http.request.method": methodOf(record),
    "cutover.name": cutover,
    "cutover.route": route,
    "cutover.side": record.decided?.decision.side ?? record.side,
    "cutover.outcome": outcome,
    ...(status === undefined ? {} : { "http.response.status_code": status }),
    ...(code === undefined ? {} : { "cutover.code": code }),
  };
}

/** Of the server's span: by what it was decided. */
export function decisionOf({ decided }: ExchangeRecord): Attributes {
  if (decided === undefined) return {};
  const { decision, state, cohort, bucket } = decided;
  return {
    "cutover.reason": decision.reason,
    "cutover.version": state.version,
    "cutover.state": state.state,
    "cutover.percent": percentToNumber(state.percentThousandths),
    ...(cohort === undefined ? {} : { "cutover.cohort": cohort.name }),
    ...(bucket === undefined ? {} : { "cutover.bucket": bucket }),
  };
}
