/** By which way a change was asked for. */
import type { FastifyRequest } from "fastify";
import type { Origin } from "../state/rules/history.ts";

/** What a caller may say of itself. Nothing depends on it but what the history shows. */
const told = ["cli", "console"] as const;

/** A session is the page's; else as the caller says in `x-cutover-via`; else `api`. */
export function originOf({
  session,
  headers,
  id,
}: Pick<FastifyRequest, "session" | "headers" | "id">): Origin {
  const said = told.find((via) => via === headers["x-cutover-via"]);
  return { via: session === null ? (said ?? "api") : "console", requestId: id };
}
