/** What an upstream's rewriting needs, made once: what of it is off costs nothing. */
import type { RewriteConfig } from "../../../config/rewrite-schema.ts";
import { compileChanges, type FieldChanges } from "./fields.ts";
import { compilePaths, type PathMap } from "./paths.ts";
import { type OwnAddress, ownAddress } from "./references.ts";

export interface Rewriting {
  readonly paths: PathMap | undefined;
  readonly request: FieldChanges | undefined;
  readonly response: FieldChanges | undefined;
  readonly own: OwnAddress;
}

/**
 * @param url of the upstream
 * @param host what it is asked for, where that is not what its client asks for
 */
export function compileRewriting(config: RewriteConfig, url: string, host: string | undefined): Rewriting {
  const { host: authority, port, protocol } = new URL(url);
  const whole = port === "" ? `${authority}:${protocol === "https:" ? "443" : "80"}` : authority;
  return {
    paths: config.path.length === 0 ? undefined : compilePaths(config.path),
    request: compileChanges(config.request),
    response: compileChanges(config.response),
    own: ownAddress(host === undefined ? [whole] : [whole, host]),
  };
}
