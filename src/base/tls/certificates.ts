/**
 * Several certificates of one listener: a client is shown the first that is of the name it asks for (SNI, RFC 6066 §3), one
 * with the very name before one with a wildcard, and the first of all where none is, or where it asks for none. Which names a
 * certificate is of stands in itself.
 */
import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { type CertificateFiles, openCertificate } from "./certificate.ts";

interface Certificates {
  /** Of the first. */
  readonly first: Pick<SecureContextOptions, "cert" | "key">;
  /** @returns `undefined`: the first */
  contextFor(servername: string): SecureContext | undefined;
  /** Looks at the files now. @returns whether the first is another one */
  refresh(): boolean;
}

/**
 * @param options of every context
 * @param onFault hears, once for each content of the files, why it cannot be used
 * @throws Error when there is none, or one cannot be used
 */
export function openCertificates(
  files: readonly CertificateFiles[],
  options: SecureContextOptions,
  onFault: (error: unknown) => void,
): Certificates {
  const opened = files.map((each) => openCertificate(each, onFault));
  const [first] = opened;
  if (first === undefined) throw new Error("a listener with TLS has a certificate");
  let byName = contexts();

  function contexts(): ReadonlyMap<string, SecureContext> {
    const made = new Map<string, SecureContext>();
    // A single one is the server's own.
    for (const { current } of opened.length === 1 ? [] : opened) {
      const context = createSecureContext({ ...options, ...current });
      for (const name of namesOf(new X509Certificate(current.cert))) {
        if (!made.has(name)) made.set(name, context);
      }
    }
    return made;
  }
  return {
    get first() {
      return first.current;
    },
    contextFor(servername) {
      const name = servername.toLowerCase();
      // A wildcard stands for one label (RFC 9525 §6.3).
      return byName.get(name) ?? byName.get(name.replace(/^[^.]+/, "*"));
    },
    refresh() {
      const changed = opened.map((each) => each.refresh() !== undefined);
      if (changed.includes(true)) byName = contexts();
      return changed[0] === true;
    },
  };
}

/** @returns the names of hosts that it is of, in lower case; the subject's where it has no others */
export function namesOf({ subjectAltName, subject }: X509Certificate): string[] {
  const others = (subjectAltName ?? "")
    .split(", ")
    .flatMap((entry) => /^DNS:([^"]+)$/.exec(entry)?.[1] ?? []);
  const common = subjectAltName === undefined ? (/^CN=(.+)$/m.exec(subject ?? "")?.[1] ?? []) : [];
  return [...others, common].flat().map((name) => name.toLowerCase());
}
