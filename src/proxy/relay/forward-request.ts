/** The request as the next hop should see it (RFC 9110 §7.6). */
import type { Readable } from "node:stream";
import type { ExchangeContext } from "../context.ts";
import type { Destination } from "../destinations.ts";
import { isBelieved, type RequestFraming } from "../inbound.ts";
import { type Arrival, hopsLeft } from "../request/arrival.ts";
import { clientOf } from "../request/client.ts";
import type { NamedRequest } from "../request/ids.ts";
import type { ForwardBody, ForwardRequest } from "../upstream/port.ts";
import { askReadably } from "./accept-encoding.ts";
import { requestFields } from "./headers.ts";

/** The request for the next hop (RFC 9110 §7.6). @param readable whether its answer is to be read on its way */
export function forwardRequest(
  context: Pick<ExchangeContext, "table" | "proxyName">,
  arrival: Arrival,
  { marking, waits }: Pick<Destination, "marking" | "waits">,
  { requestId, traceparent }: NamedRequest,
  content: Buffer | Readable,
  readable: boolean,
): ForwardRequest {
  const { head, names, target, host } = arrival;
  const { trusts } = context.table;
  const isAddressed = marking.clientAddress.length > 0;
  const fields = requestFields(
    head.fields,
    names,
    {
      peerAddress: head.peer.address,
      peerIsTrusted: isBelieved(trusts, head.peer),
      encrypted: head.peer.encrypted,
      host,
      proxyName: context.proxyName,
      marking,
      clientAddress: isAddressed ? clientOf(trusts, head, names).address : "",
      version: head.version,
      requestId,
      traceparent,
    },
    context.table.ownCookies,
    context.table.identityFields,
    context.table.claimingFields,
    context.table.unvouchedFields(head.peer.address),
  );
  if (readable) askReadably(fields);
  if (head.method === "OPTIONS") countHop(fields, hopsLeft(head, names));
  const body = framed(head.framing, content);
  return { method: head.method, target: target.forwarded, fields, body, waits, upgrade: head.upgrade };
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
