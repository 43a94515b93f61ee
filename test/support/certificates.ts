/** Certificates and keys made for one test, by openssl: an authority, and what it signs. Nothing of them is kept. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface IssuedPair {
  /** Paths, PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly folder: string;
  /** Path of its certificate, PEM. */
  readonly ca: string;
  readonly caPem: Buffer;
  /** @param names of the certificate: DNS names and addresses, `localhost` and 127.0.0.1 without any */
  issue(name: string, names?: readonly string[], days?: number): IssuedPair;
  remove(): void;
}

/** @param kind of all keys: ECDSA by P-256, or RSA of 2048 bits */
export function createAuthority(kind: "ec" | "rsa" = "ec"): Authority {
  const folder = mkdtempSync(join(tmpdir(), "cutover-tls-"));
  const file = (name: string) => join(folder, name);
  const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: "pipe" });
  const key = kind === "rsa" ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  const newKey = ["-newkey", ...key, "-nodes"];
  openssl(
    ...["req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=test authority"],
    ...["-keyout", file("ca.key"), "-out", file("ca.crt")],
  );
  return {
    folder,
    ca: file("ca.crt"),
    caPem: readFileSync(file("ca.crt")),
    issue(name, names = ["localhost", "127.0.0.1"], days = 1) {
      const cert = file(`${name}.crt`);
      const key = file(`${name}.key`);
      const alternatives = names.map((each) => (/^[\d.]+$/.test(each) ? `IP:${each}` : `DNS:${each}`));
      writeFileSync(file(`${name}.ext`), `subjectAltName=${alternatives.join(",")}\n`);
      openssl("req", ...newKey, "-subj", `/CN=${name}`, "-keyout", key, "-out", file(`${name}.csr`));
      openssl(
        ...["x509", "-req", "-in", file(`${name}.csr`), "-CA", file("ca.crt"), "-CAkey", file("ca.key")],
        ...["-CAcreateserial", "-days", `${days}`, "-extfile", file(`${name}.ext`), "-out", cert],
      );
      return { cert, key };
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
