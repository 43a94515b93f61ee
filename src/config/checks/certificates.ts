/** What is in the files of certificates and keys: the one rule of the configuration that looks beyond its own file. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { codeOf } from "../../base/errors.ts";
import { namesOf } from "../../base/tls/certificates.ts";
import { type Finding, type Path, unwise, wrong } from "../load/problems.ts";
import type { Config, UpstreamConfig } from "../schema.ts";
import { spelledHost } from "../values/hosts.ts";

export interface CertificateFindings {
  /** What makes the configuration wrong. */
  readonly wrong: readonly Finding[];
  /** What is allowed but probably not meant. */
  readonly unwise: readonly Finding[];
}

/** @param nowMs certificates that are over by then are told of */
export function certificateFindings(config: Config, nowMs: number): CertificateFindings {
  const { tls: admin } = config.listeners.admin;
  const found = [
    ...listenerFindings(config, nowMs),
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

/** Each certificate of the proxy's listener, and which of them nobody is shown. */
function listenerFindings(config: Config, nowMs: number): CertificateFindings[] {
  const at: Path = ["listeners", "proxy", "tls"];
  const { tls } = config.listeners.proxy;
  if (tls === undefined) return [];
  if (!Array.isArray(tls)) return [pairFindings(at, tls, nowMs), unshownHosts(config, namesIn([tls]))];
  const shown = new Set<string>();
  const unshown = tls.flatMap(({ cert }, index): Finding[] => {
    const names = namesIn([{ cert }]);
    const isShown = index === 0 || names.some((name) => !shown.has(name));
    for (const name of names) shown.add(name);
    if (isShown || "fault" in certificate(at, cert)) return [];
    const message = "nobody is shown this certificate: those before it are of all its names";
    return [unwise([...at, index, "cert"], message)];
  });
  return [
    ...tls.map((files, index) => pairFindings([...at, index], files, nowMs)),
    { wrong: [], unwise: unshown },
    unshownHosts(config, [...shown]),
  ];
}

function namesIn(files: readonly { readonly cert: string }[]): string[] {
  return files.flatMap(({ cert }) => {
    const read = certificate([], cert);
    return "value" in read ? namesOf(read.value) : [];
  });
}

/** Hosts of routes that browsers do not come to: no certificate is of them. */
function unshownHosts({ cutovers, routes, hosts }: Config, names: readonly string[]): CertificateFindings {
  const lists: readonly (readonly [Path, readonly string[] | undefined])[] = [
    ...Object.entries(cutovers).flatMap(([name, cutover]): [Path, readonly string[] | undefined][] => [
      [["cutovers", name, "hosts"], cutover.hosts],
      ...cutover.routes.map((route, at): [Path, readonly string[] | undefined] => [
        ["cutovers", name, "routes", at, "hosts"],
        route.hosts,
      ]),
    ]),
    ...routes.map((route, at): [Path, readonly string[] | undefined] => [
      ["routes", at, "hosts"],
      route.hosts,
    ]),
  ];
  const found = lists.flatMap(([path, list = []]) =>
    list.flatMap((host, at) => (isOneOf(host, names) ? [] : [[...path, at]])),
  );
  const keys = Object.keys(hosts).flatMap((key) =>
    isOneOf(spelledHost(key), names) ? [] : [["hosts", key]],
  );
  const message = "no certificate of listeners.proxy.tls is of this host";
  return { wrong: [], unwise: [...found, ...keys].map((path) => unwise(path, message)) };
}

/** Whether a certificate is of the host, or of some below it where it is a wildcard. */
function isOneOf(host: string, names: readonly string[]): boolean {
  if (host.startsWith("*.")) return names.some((name) => name === host || name.endsWith(host.slice(1)));
  // Addresses are asked for without a name.
  return host.startsWith("[") || isIP(host) !== 0 || names.some((name) => isOfName(name, host));
}

/** A certificate's wildcard stands for one label. */
function isOfName(name: string, host: string): boolean {
  return name === host || (name.startsWith("*.") && host.replace(/^[^.]+/, "*") === name);
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
