/** What tests of a TLS listener start with: an authority, a certificate of the proxy's, and an end to all they open. */
import { afterAll, afterEach } from "vitest";
import { type Authority, createAuthority, type IssuedPair } from "./certificates.ts";

export interface Secured {
  readonly authority: Authority;
  readonly pair: IssuedPair;
  /** Run after each test, the last first. */
  readonly cleanups: (() => unknown)[];
}

/** To be called once a file. */
export function secured(): Secured {
  const authority = createAuthority();
  const cleanups: Secured["cleanups"] = [];
  afterAll(() => authority.remove());
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  return { authority, pair: authority.issue("proxy"), cleanups };
}
