/** Who may reach the admin listener and change something, and by what secrets. */
import { BlockList, isIP } from "node:net";
import type { Draft } from "../load/draft.ts";
import { type Finding, type Path, repeated, unwise, wrong } from "../load/problems.ts";
import { createGuesses } from "./guessed-secrets.ts";

/** What makes it wrong. */
export function accessFindings(draft: Draft): Finding[] {
  return [
    ...openAdmin(draft),
    ...refusedPort(draft),
    ...tokens(draft),
    ...openIssuers(draft),
    ...namelessApprovals(draft),
  ];
}

/** What is allowed but probably not meant. */
export function accessWarnings(draft: Draft): Finding[] {
  return guessedSecrets(draft);
}

function openAdmin({ auth, admin }: Draft): Finding[] {
  if (auth !== "none" || admin === undefined || isLoopback(admin.host)) return [];
  return [
    wrong(["listeners", "admin", "host"], "expected a loopback address such as 127.0.0.1 while auth is none"),
  ];
}

/** Ports of other protocols that browsers speak HTTP to on no account (Fetch §2.9). */
const badPorts: ReadonlySet<number> = new Set([
  ...[
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  ],
  ...[
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  ],
  ...[526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049],
  ...[3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080],
]);

function refusedPort({ admin }: Draft): Finding[] {
  if (admin === undefined || !badPorts.has(admin.port)) return [];
  return [wrong(["listeners", "admin", "port"], "expected another port: browsers refuse to open this one")];
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether a host is reached from this machine alone. A name other than localhost could resolve to anything. */
export function isLoopback(host: string): boolean {
  const plain = plainHost(host);
  const family = isIP(plain);
  return family !== 0 && loopback.check(plain, family === 4 ? "ipv4" : "ipv6");
}

export function plainHost(host: string): string {
  const lower = host.toLowerCase();
  return lower === "localhost" ? "127.0.0.1" : lower;
}

/**
 * By which the history calls the program itself, or nobody: the guard takes what stands under its name for its own. Who
 * signs in at an issuer stands there as `oidc:` and a subject, and so never under one of these.
 */
const ownNames: ReadonlySet<string> = new Set(["anonymous", "doctor", "guard", "plan"]);

/** A secret has one name and one role. */
function tokens({ auth }: Draft): Finding[] {
  if (auth === undefined || auth === "none") return [];
  const located = (auth.tokens ?? []).map((token, index) => ({ path: ["auth", "tokens", index], token }));
  return [
    ...repeated(
      located.map(({ path, token }) => ({ path: [...path, "sha256"], value: token.sha256 })),
      "expected a secret of its own for each token",
    ),
    ...located.flatMap(({ path, token }) =>
      ownNames.has(token.name)
        ? [wrong([...path, "name"], "expected another name: the history calls the program itself so")]
        : [],
    ),
  ];
}

/** Over http anybody on the way could answer with keys of their own, or take the code of a sign-in. */
function openIssuers({ auth }: Draft): Finding[] {
  if (auth === undefined || auth === "none" || auth.oidc === undefined) return [];
  const { issuer, jwksUri, page } = auth.oidc;
  const addresses: readonly (readonly [Path, string | undefined])[] = [
    [["issuer"], issuer],
    [["jwksUri"], jwksUri],
    [["page", "url"], page?.url],
  ];
  return addresses.flatMap(([path, text]) => {
    if (text === undefined) return [];
    const { protocol, hostname } = new URL(text);
    const isSafe = protocol === "https:" || isLoopback(hostname.replace(/^\[(.*)\]$/, "$1"));
    return isSafe ? [] : [wrong(["auth", "oidc", ...path], "expected https: http is for loopback alone")];
  });
}

/** Where nobody signs in, everybody is the same person. */
function namelessApprovals({ auth, cutovers }: Draft): Finding[] {
  if (auth !== "none") return [];
  return cutovers.flatMap(({ at, fourEyes }) =>
    fourEyes
      ? [wrong([...at, "approval"], "expected auth to name people: nobody could approve a raise")]
      : [],
  );
}

function guessedSecrets({ auth, upstreams = [], cutovers }: Draft): Finding[] {
  const names = cutovers.flatMap(({ at }) => String(at.at(-1)));
  const isGuessed = createGuesses([...names, ...upstreams]);
  const tokens = auth === undefined || auth === "none" ? [] : (auth.tokens ?? []);
  const tokenSecrets = tokens.map(({ sha256 }, index) => ({
    path: ["auth", "tokens", index, "sha256"],
    value: sha256,
  }));
  return [...tokenSecrets, ...cutovers.flatMap(({ forceSecrets }) => forceSecrets)]
    .filter(({ value }) => isGuessed(value))
    .map(({ path }) => unwise(path, "this secret is one that everybody tries first"));
}
