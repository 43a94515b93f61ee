/** When the certificates end that this instance shows, as metrics: a certificate that ends at night ends all sales. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Gauge, type Registry } from "prom-client";

/** A certificate in a file, PEM: the first that stands there. */
export interface CertificateInUse {
  /** `proxy`, `admin`, or `upstream NAME`: to whom it is shown. */
  readonly usedBy: string;
  readonly path: string;
}

/** @param inUse by the configuration in force; asked at a scrape */
export function addCertificateMetrics(registry: Registry, inUse: () => readonly CertificateInUse[]): void {
  new Gauge({
    name: "cutover_certificate_expiry_timestamp_seconds",
    help: "When the certificate in the file ends that is shown by a listener, or to an upstream; the first of several to end.",
    labelNames: ["used_by"],
    registers: [registry],
    async collect() {
      const ends = await Promise.all(
        inUse().map(async ({ usedBy, path }) => ({ usedBy, seconds: await expiryOf(path) })),
      );
      this.reset();
      const first = new Map<string, number>();
      for (const { usedBy, seconds } of ends) {
        if (seconds !== undefined) first.set(usedBy, Math.min(seconds, first.get(usedBy) ?? seconds));
      }
      for (const [used_by, seconds] of first) this.set({ used_by }, seconds);
    },
  });
}

/** @returns seconds since the epoch; `undefined` while the file cannot be read, as in the midst of being replaced */
async function expiryOf(path: string): Promise<number | undefined> {
  try {
    return Date.parse(new X509Certificate(await readFile(path)).validTo) / 1000;
  } catch {
    return undefined;
  }
}
