/**
 * The listener's certificate and key, read again when their files change. The files are two and change one after the
 * other: only a pair that fits together is used, until then the one before.
 */
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";

export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Certificate {
  readonly current: KeyPair;
  /** Looks at the files now. @returns the new pair, where there is one that can be used */
  refresh(): KeyPair | undefined;
}

/**
 * @param onFault hears, once for each content of the files, why it can not be used
 * @throws Error when the first pair can not be used
 */
export function openCertificate(
  files: { readonly cert: string; readonly key: string },
  onFault: (error: unknown) => void,
): Certificate {
  const read = (): KeyPair => ({ cert: readFileSync(files.cert), key: readFileSync(files.key) });
  let current = read();
  createSecureContext(current);
  let refused: KeyPair | undefined;
  return {
    get current() {
      return current;
    },
    refresh() {
      let next: KeyPair;
      try {
        next = read();
      } catch {
        // In the middle of being replaced; or gone, which harms nobody before the next start.
        return undefined;
      }
      if (isSame(next, current) || (refused !== undefined && isSame(next, refused))) return undefined;
      try {
        createSecureContext(next);
      } catch (error) {
        refused = next;
        onFault(error);
        return undefined;
      }
      current = next;
      refused = undefined;
      return next;
    },
  };
}

function isSame(one: KeyPair, other: KeyPair): boolean {
  return one.cert.equals(other.cert) && one.key.equals(other.key);
}
