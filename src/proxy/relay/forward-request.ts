/** The request as the next hop should see it (RFC 9110 §7.6). */
import type { Readable } from "node:stream";
import { fieldValue } from "../../decide/sources.ts";
import type { ExchangeContext } from "../context.ts";
import type { RequestFraming } from "../inbound.ts";
import { type Arrival, hopsLeft } from "../request/arrival.ts";
import type { ForwardBody, ForwardRequest } from "../upstream/port.ts";
import { requestFields } from "./headers.ts";

/** The request for the next hop (RFC 9110 §7.6). */
export function forwardRequest(
  context: ExchangeContext,
  arrival: Arrival,
  requestId: string,
  content: Buffer | Readable,
): ForwardRequest {
  const { head, names, target, host } = arrival;
  const fields = requestFields(
    head.fields,
    names,
    {
      peerAddress: head.peer.address,
      peerIsTrusted: context.table.trusts(head.peer.address),
      encrypted: head.peer.encrypted,
      host,
      proxyName: context.proxyName,
      version: head.version,
      requestId,
      traceparent: context.ids.traceparent(fieldValue(head.fields, names, "traceparent")),
    },
    context.table.journeyCookies,
    context.table.identityFields,
    context.table.claimingFields,
  );
  if (head.method === "OPTIONS") countHop(fields, hopsLeft(head, names));
  const body = framed(head.framing, content);
  return { method: head.method, target: target.forwarded, fields, body, upgrade: head.upgrade };
}

/** RFC 9110 §7.6.2. */
function countHop(fields: string[], left: number | undefined): void {
  if (left === undefined) return;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() === "max-forwards") fields[i + 1] = `${left - 1}`;
  }
}

function framed(framing: RequestFraming, content: Buffer | Readable): ForwardBody {
  switch (framing.kind) {
    case "none":
      return framing;
    case "sized":
      return { kind: "sized", length: framing.length, content };
    case "chunked":
      return { kind: "chunked", content };
  }
}
