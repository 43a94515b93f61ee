/**
 * vitest's global setup, once a run: the tests use real programs, so it makes sure that they are there. As root
 * on Debian or Ubuntu it installs what is missing; anywhere else it says what to install.
 */
import { spawnSync } from "node:child_process";
import { accessSync, chmodSync, constants, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Program → the Debian package it comes in. */
export const programs = {
  "redis-server": "redis-server",
  prometheus: "prometheus",
  promtool: "prometheus",
  wrk: "wrk",
  openssl: "openssl",
  curl: "curl",
  nghttp: "nghttp2-client",
  h2load: "nghttp2-client",
  nginx: "nginx-light",
  haproxy: "haproxy",
  chromium: "chromium",
} as const satisfies Readonly<Record<string, string>>;

export interface Surroundings {
  /** Folders of programs, as PATH has them. */
  readonly path: string;
  /** Whether packages may be installed: the user is root. */
  readonly isRoot: boolean;
}

export type Provision =
  | { readonly kind: "ready" }
  | { readonly kind: "install"; readonly packages: readonly string[] }
  | { readonly kind: "refuse"; readonly message: string };

/** What has to be done before the tests can run. Looks at files, changes nothing. */
export function planProvision({ path, isRoot }: Surroundings): Provision {
  const missing = Object.entries(programs).filter(([program]) => !isOnPath(program, path));
  if (missing.length === 0) return { kind: "ready" };
  const packages = [...new Set(missing.map(([, name]) => name))];
  if (isRoot && isOnPath("apt-get", path)) return { kind: "install", packages };
  const names = missing.map(([program]) => program).join(", ");
  const advice = isOnPath("apt-get", path)
    ? `sudo apt-get install ${packages.join(" ")}`
    : `install them so that they are on the PATH (Debian's packages: ${packages.join(" ")})`;
  return { kind: "refuse", message: `the tests need ${names}: ${advice}` };
}

function isOnPath(program: string, path: string): boolean {
  return path.split(delimiter).some((folder) => folder !== "" && isProgram(join(folder, program)));
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

export function setup(): void {
  const surroundings = { path: `${process.env.PATH ?? ""}:/usr/sbin`, isRoot: process.getuid?.() === 0 };
  const plan = planProvision(surroundings);
  if (plan.kind === "ready") return;
  if (plan.kind === "refuse") throw new Error(plan.message);
  process.stderr.write(`installing ${plan.packages.join(", ")} with apt-get, for the tests\n`);
  withoutServices(() => {
    // Old lists may still do, so only the installation decides.
    aptGet(["update"]);
    const installed = aptGet(["install", "-y", "--no-install-recommends", ...plan.packages]);
    if (installed !== undefined)
      throw new Error(`apt-get could not install what the tests need: ${installed}`);
  });
  const after = planProvision({ ...surroundings, isRoot: false });
  if (after.kind === "refuse") throw new Error(after.message);
}

/** @returns why it failed, or undefined */
function aptGet(words: readonly string[]): string | undefined {
  // Another run may be installing the same just now.
  const ran = spawnSync("apt-get", ["-q", "-o", "DPkg::Lock::Timeout=300", ...words], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    timeout: 600_000,
  });
  if (ran.status === 0) return undefined;
  return ran.error?.message ?? `exit code ${ran.status}\n${ran.stderr.trim()}`;
}

/** Debian starts a service when its package is installed, unless this file says no (deb-systemd-invoke, invoke-rc.d). */
const servicePolicy = "/usr/sbin/policy-rc.d";

function withoutServices(install: () => void): void {
  if (isProgram(servicePolicy)) {
    install();
    return;
  }
  writeFileSync(servicePolicy, "#!/bin/sh\nexit 101\n", { flag: "wx" });
  chmodSync(servicePolicy, 0o755);
  try {
    install();
  } finally {
    rmSync(servicePolicy, { force: true });
  }
}
