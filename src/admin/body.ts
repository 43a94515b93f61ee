/** How bodies are read: JSON in UTF-8 only (RFC 8259 §8.1), or none at all whatever type was named. */
import type { AdminApp } from "./context.ts";
import { Refused } from "./problem.ts";

export const maxBodyBytes = 64 * 1024;

export function readJsonBodies(app: AdminApp): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (_request: unknown, body: Buffer) => {
      return body.length === 0 ? undefined : parseJson(body);
    },
  );
  // `curl -d ''` names a form of no fields: nobody in a hurry is refused for that.
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (_request: unknown, body: Buffer) => {
    if (body.length > 0) throw new Refused("unsupported_media_type", "the body must be application/json");
    return undefined;
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Refused("malformed_body", "the body is not JSON");
  }
}
