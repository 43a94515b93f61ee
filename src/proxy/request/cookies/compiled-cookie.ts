/** What every cookie of the proxy's own has configured. */
import type { CookieConfig } from "../../../config/schema.ts";

export interface CompiledCookie {
  readonly name: string;
  /** Whether the browser shall send it along with requests that come from other sites. */
  readonly crossSite: boolean;
  /** Whether it is Secure however the request came. */
  readonly secure: boolean;
  /** Attributes that never change, with a leading `; `. */
  readonly attributes: string;
}

export function compileCookie({ cookie, sameSite, domain, secure }: CookieConfig): CompiledCookie {
  return {
    name: cookie,
    crossSite: sameSite === "none",
    secure: secure === "always",
    attributes: domain === undefined ? "; Path=/" : `; Domain=${domain}; Path=/`,
  };
}
