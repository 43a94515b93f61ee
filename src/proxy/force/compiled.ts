/** What a cutover's testers say, as the exchange needs it. */
import type { CutoverConfig } from "../../config/schema.ts";
import type { OwnCookie } from "../../decide/cookie.ts";
import { readForce } from "../../decide/force.ts";
import type { CompiledCookie } from "../request/cookies/compiled-cookie.ts";

export interface CompiledForce {
  /** Lower case. */
  readonly header: string;
  /** Whether it counts while the cutover is rolled back, too. */
  readonly whileRolledBack: boolean;
  /** SHA-256 of each secret, lower-case hex. */
  readonly hashes: ReadonlySet<string>;
  /** What a link gives; absent: there are no links. */
  readonly cookie: ForceCookie | undefined;
}

interface ForceCookie extends OwnCookie, CompiledCookie {
  /** What its values may be signed with; the first signs. */
  readonly keys: () => readonly string[];
}

/** @param keys asked at each use */
export function compileForce(
  { force }: CutoverConfig,
  cutover: string,
  keys: () => readonly string[],
): CompiledForce | undefined {
  if (force === undefined) return undefined;
  const { header, secrets, whileRolledBack, cookie: name } = force;
  const isOwn = (value: string) => readForce(keys(), cutover, value) !== undefined;
  return {
    header,
    whileRolledBack,
    hashes: new Set(secrets),
    cookie:
      name === undefined
        ? undefined
        : { name, crossSite: false, secure: false, attributes: "; Path=/", isOwn, keys },
  };
}
