import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import {
  isSecure,
  isSegment,
  makeSegment,
  pagePath,
  segmentOf,
  withoutPagePath,
} from "../../../../src/admin/access/page-path.ts";

function asked(url: string, headers: Record<string, string> = {}, more: object = {}): IncomingMessage {
  const request = new IncomingMessage(Object.assign(new Socket(), more));
  return Object.assign(request, { url, headers });
}

test("all that lies at the root lies below a session's path, and its segment is noted", () => {
  const segment = makeSegment();
  expect(isSegment(segment)).toBe(true);
  for (const rest of ["", "?x=1", "api/v1/cutovers?a=/s/b/", "%zz", "/double", "s/deeper"]) {
    const request = asked(pagePath(segment) + rest);
    expect(withoutPagePath(request)).toBe(`/${rest}`);
    expect(segmentOf(request)).toBe(segment);
  }
  for (const other of [
    `/s/${segment}x/`,
    "/s/short/",
    `/S/${segment}/`,
    `//s/${segment}/`,
    "/",
    "*",
    `/s/${segment}%2f`,
  ]) {
    const request = asked(other);
    expect(withoutPagePath(request)).toBe(other);
    expect(segmentOf(request)).toBeUndefined();
  }
});

test("the browser speaks TLS to this listener, or to what stands before it", () => {
  expect(isSecure(asked("/", {}, { encrypted: true }))).toBe(true);
  expect(isSecure(asked("/", { "x-forwarded-proto": "HTTPS, http" }))).toBe(true);
  for (const proto of ["http", "http, https", "", "httpsx"]) {
    expect(isSecure(asked("/", { "x-forwarded-proto": proto }))).toBe(false);
  }
  expect(isSecure(asked("/"))).toBe(false);
});
