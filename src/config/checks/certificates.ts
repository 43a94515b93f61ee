/** What is in the files of certificates and keys: the one rule of the configuration that looks beyond its own file. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { codeOf } from "../../base/errors.ts";
import { type Finding, type Path, unwise, wrong } from "../load/problems.ts";
import type { Config, UpstreamConfig } from "../schema.ts";

export interface CertificateFindings {
  /** What makes the configuration wrong. */
  readonly wrong: readonly Finding[];
  /** What is allowed but probably not meant. */
  readonly unwise: readonly Finding[];
}

/** @param nowMs certificates that are over by then are told of */
export function certificateFindings(config: Config, nowMs: number): CertificateFindings {
  const { tls } = config.listeners.proxy;
  const { tls: admin } = config.listeners.admin;
  const found = [
    ...(tls === undefined ? [] : [pairFindings(["listeners", "proxy", "tls"], tls, nowMs)]),
    ...(admin === undefined ? [] : [pairFindings(["listeners", "admin", "tls"], admin, nowMs)]),
    ...(admin?.ca === undefined
      ? []
      : [{ wrong: faultsOf(certificate(["listeners", "admin", "tls", "ca"], admin.ca)), unwise: [] }]),
    ...Object.entries(config.upstreams).map(([name, upstream]) => {
      return upstreamFindings(["upstreams", name, "tls"], upstream, nowMs);
    }),
  ];
  return {
    wrong: found.flatMap((each) => each.wrong),
    unwise: found.flatMap((each) => each.unwise),
  };
}

function upstreamFindings(at: Path, { url, tls }: UpstreamConfig, nowMs: number): CertificateFindings {
  if (tls === undefined) return nothing;
  if (!url.startsWith("https:")) {
    return { wrong: [unwise(at, "expected only where url is https://")], unwise: [] };
  }
  const { ca, cert, key, verify } = tls;
  const authority = ca === undefined ? [] : faultsOf(certificate([...at, "ca"], ca));
  const unverified = verify ? [] : [unwise([...at, "verify"], "whoever answers there is believed")];
  const own = ownFindings(at, cert, key, nowMs);
  return { wrong: [...authority, ...own.wrong], unwise: [...unverified, ...own.unwise] };
}

function ownFindings(
  at: Path,
  cert: string | undefined,
  key: string | undefined,
  nowMs: number,
): CertificateFindings {
  if (cert !== undefined && key !== undefined) return pairFindings(at, { cert, key }, nowMs);
  if (cert === key) return nothing;
  return { wrong: [unwise(at, "expected cert and key together")], unwise: [] };
}

function pairFindings(
  at: Path,
  files: { readonly cert: string; readonly key: string },
  nowMs: number,
): CertificateFindings {
  const cert = certificate([...at, "cert"], files.cert);
  const key = privateKey([...at, "key"], files.key);
  if ("fault" in cert || "fault" in key) return { wrong: [...faultsOf(cert), ...faultsOf(key)], unwise: [] };
  if (!cert.value.checkPrivateKey(key.value)) {
    return { wrong: [wrong([...at, "key"], "expected the key of the certificate in cert")], unwise: [] };
  }
  const { validTo } = cert.value;
  const isOver = Date.parse(validTo) < nowMs;
  return {
    wrong: [],
    unwise: isOver ? [unwise([...at, "cert"], `the certificate was valid until ${validTo}`)] : [],
  };
}

const nothing: CertificateFindings = { wrong: [], unwise: [] };

type FromFile<T> = { readonly value: T } | { readonly fault: Finding };

function faultsOf(read: FromFile<unknown>): Finding[] {
  return "fault" in read ? [read.fault] : [];
}

function certificate(at: Path, path: string): FromFile<X509Certificate> {
  return fromFile(at, path, "a certificate in PEM", (pem) => new X509Certificate(pem));
}

function privateKey(at: Path, path: string): FromFile<KeyObject> {
  return fromFile(at, path, "a private key in PEM, not encrypted", (pem) => createPrivateKey(pem));
}

/** Nothing of the file's content is ever said. */
function fromFile<T>(at: Path, path: string, what: string, parse: (pem: Buffer) => T): FromFile<T> {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    const code = codeOf(error) ?? "unknown error";
    return { fault: wrong(at, `expected a file that can be read: ${code}`) };
  }
  try {
    return { value: parse(pem) };
  } catch {
    return { fault: wrong(at, `expected ${what}`) };
  }
}
