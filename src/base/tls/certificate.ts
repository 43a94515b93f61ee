/**
 * A certificate with its key, and the authorities that a peer's is to be of, in files that may change while they are used.
 * The files change one after the other: only such as fit together are used, until then those before.
 */
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";

/** Paths, PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string | undefined;
}

interface Pems {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

interface Certificate {
  readonly current: Pems;
  /** Looks at the files now. @returns the new ones, where there are some that can be used */
  refresh(): Pems | undefined;
}

/**
 * @param onFault hears, once for each content of the files, why it cannot be used
 * @throws Error when the first ones cannot be used
 */
export function openCertificate(
  { cert, key, ca }: CertificateFiles,
  onFault: (error: unknown) => void,
): Certificate {
  const read = (): Pems => ({
    cert: readFileSync(cert),
    key: readFileSync(key),
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
  });
  let current = read();
  createSecureContext(current);
  let refused: Pems | undefined;
  return {
    get current() {
      return current;
    },
    refresh() {
      let next: Pems;
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

function isSame(one: Pems, other: Pems): boolean {
  const isSameCa = one.ca === undefined || other.ca === undefined || one.ca.equals(other.ca);
  return one.cert.equals(other.cert) && one.key.equals(other.key) && isSameCa;
}
