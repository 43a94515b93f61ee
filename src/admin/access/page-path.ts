/** The path that a session of the page has to itself, `/s/SEGMENT/…`, and what the browser that asks for it speaks. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

const ofSession = /^\/s\/([\w-]{22})(?:\/|(?=\?|$))/;
const segmentForm = /^[\w-]{22}$/;

declare module "node:http" {
  interface IncomingMessage {
    /** The segment of the session's path that the target began with. */
    pageSegment?: string | undefined;
  }
}

/** @returns the target without the session's path, which is noted @see segmentOf */
export function withoutPagePath(request: IncomingMessage): string {
  const { url = "/" } = request;
  const [whole, segment] = ofSession.exec(url) ?? [];
  if (whole === undefined) return url;
  request.pageSegment = segment;
  return `/${url.slice(whole.length)}`;
}

export function segmentOf({ pageSegment }: IncomingMessage): string | undefined {
  return pageSegment;
}

export function isSegment(text: string): boolean {
  return segmentForm.test(text);
}

/** 128 random bits. */
export function makeSegment(): string {
  return randomBytes(16).toString("base64url");
}

export function pagePath(segment: string): string {
  return `/s/${segment}/`;
}

/**
 * Whether the browser speaks TLS: to this listener, or to what stands before it. A client that forges the field changes only
 * its own cookie.
 */
export function isSecure({ headers, socket }: Pick<IncomingMessage, "headers" | "socket">): boolean {
  if ("encrypted" in socket && socket.encrypted === true) return true;
  const [first] = [headers["x-forwarded-proto"]].flat();
  return first?.split(",")[0]?.trim().toLowerCase() === "https";
}
