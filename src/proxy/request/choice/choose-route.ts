/** Which of the routes that share a path a request is on, once its body is there to tell (docs/configuration.md, `when`). */
import type { ReadBody } from "../../../decide/body.ts";
import { fieldValue } from "../../../decide/sources.ts";
import { type ReadOperations, readOperations } from "../../../decide/when/operations.ts";
import { holdsByBody } from "../../../decide/when/when.ts";
import type { CompiledRoute, Table } from "../../routes.ts";
import { answerSelf, isOver, type Recorded, recordRoute } from "../../settle.ts";
import type { Notice } from "../../witness.ts";
import type { Arrival } from "../arrival.ts";
import { type Buffered, requestValues } from "../buffered-body.ts";

/**
 * @param buffered the body, where there is one
 * @returns the arrival with the route that the request is on; `undefined` where it is over, or was answered here
 */
export function chooseRoute(
  exchange: Recorded,
  arrival: Arrival,
  buffered: Buffered | undefined,
): Arrival | undefined {
  if (isOver(exchange)) return undefined;
  if (buffered !== undefined) exchange.content = buffered.content;
  const body = bodyAsRead(arrival, buffered);
  let known: ReadOperations | undefined;
  const operations = () => {
    known ??= operationsOf(exchange.context.table, arrival, body);
    return known;
  };
  const unread = new Set<CompiledRoute["cutover"]>();
  let { match } = arrival;
  for (const choice of arrival.choices ?? []) {
    const { value, when = {} } = choice;
    const fit = holdsByBody(when, body, operations);
    if (fit === "holds") {
      match = choice;
      break;
    }
    const { cutover } = value;
    if (fit === "unknown_document") {
      tell(value, exchange, { kind: "unknown_document", cutover: cutover.name });
      askForText(exchange, arrival, operations().isBatch ? operations().count : undefined);
      return undefined;
    }
    if (fit === "unread" && !unread.has(cutover)) {
      unread.add(cutover);
      tell(value, exchange, { kind: "unread_choice", cutover: cutover.name });
    }
  }
  const chosen = { ...arrival, match, choices: undefined };
  recordRoute(exchange, match?.value, arrival.elsewhere);
  return chosen;
}

function tell({ witnesses }: CompiledRoute, exchange: Recorded, notice: Notice): void {
  for (const witness of witnesses.noticed) witness.noticed(exchange, notice);
}

export function bodyAsRead({ head, names }: Arrival, buffered: Buffered | undefined): ReadBody {
  if (buffered === undefined) return { kind: "none" };
  if (buffered.kind === "whole" && buffered.content.length === 0) return { kind: "none" };
  const values = requestValues(buffered, head, names);
  return values === undefined || typeof values === "string" ? { kind: "unread" } : { kind: "read", values };
}

const nothingAsked: ReadOperations = {
  read: [],
  named: [],
  count: 0,
  isUnread: false,
  isUnknown: false,
  isBatch: false,
};

/** @returns what the request asks a GraphQL server for; nothing where no route wants to know */
export function operationsOf(
  { documents }: Pick<Table, "documents">,
  { head, names, target }: Pick<Arrival, "head" | "names" | "target">,
  body: ReadBody,
): ReadOperations {
  if (documents === undefined) return nothingAsked;
  const field = (name: string) => fieldValue(head.fields, names, name);
  const said = { name: field("x-apollo-operation-name"), type: field("x-apollo-operation-type") };
  return readOperations({ query: target.query, body, type: field("content-type"), said }, documents);
}

const notFound = {
  errors: [
    {
      message: "PersistedQueryNotFound",
      extensions: { code: "PERSISTED_QUERY_NOT_FOUND" },
    },
  ],
};

/**
 * Says that the hash is not known, in the words of Apollo's servers, so that the client sends the text. A page of another
 * origin may read that: it says nothing of anybody.
 *
 * @param count of the operations of a batch, none of which has been run
 */
function askForText(exchange: Recorded, { head, names }: Arrival, count: number | undefined): void {
  const origin = fieldValue(head.fields, names, "origin");
  const answer = count === undefined ? notFound : Array.from({ length: count }, () => notFound);
  const fields = ["Content-Type", "application/json; charset=utf-8", "Cache-Control", "no-store"];
  if (origin !== undefined) {
    fields.push("Access-Control-Allow-Origin", origin, "Access-Control-Allow-Credentials", "true");
    fields.push("Vary", "Origin");
  }
  answerSelf(exchange, fields, Buffer.from(JSON.stringify(answer)));
}
