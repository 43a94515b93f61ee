/**
 * The status page at the root. The page and its two files are open; what it shows of the cutovers is not: with
 * tokens configured a request without a session gets the page empty, and its script asks the reader for a token, which
 * it trades for a session.
 */
import { readFileSync } from "node:fs";
import type { Gate } from "../access/gate.ts";
import type { AdminApp, AdminOptions } from "../context.ts";
import type { Fleet } from "../fleet.ts";
import { renderPage } from "../page/render.ts";
import type { Views } from "../view.ts";

const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

type Needs = Pick<AdminOptions, "auth" | "follower" | "clock" | "instance" | "version">;

export function pageRoutes(
  app: AdminApp,
  needs: Needs,
  gate: Pick<Gate, "admit" | "sessionOf">,
  views: Views,
  fleet: Fleet,
): void {
  const frame = asset("status.html");
  const style = asset("status.css");
  const script = asset("status.js");
  const open = { config: { isOpen: true }, schema: { hide: true } };

  app.get("/", open, async (request, reply) => {
    const { method, headers, socket } = request;
    const session = gate.sessionOf(headers);
    const isKnown = needs.auth === "none" || headers.authorization !== undefined || session !== undefined;
    if (isKnown) await gate.admit({ method, headers, remote: socket.remoteAddress ?? "" });
    const body = renderPage(frame, {
      cutovers: isKnown ? views.all(await fleet.read()) : undefined,
      signedIn: session?.actor.name,
      store: needs.follower.contact(),
      now: needs.clock.now(),
      instance: needs.instance.id,
      version: needs.version,
    });
    return reply.header("content-security-policy", contentPolicy).type("text/html; charset=utf-8").send(body);
  });
  app.get("/status.css", open, async (_, reply) => reply.type("text/css; charset=utf-8").send(style));
  app.get("/status.js", open, async (_, reply) => reply.type("text/javascript; charset=utf-8").send(script));
}

function asset(name: string): string {
  return readFileSync(new URL(`../page/${name}`, import.meta.url), "utf8");
}
