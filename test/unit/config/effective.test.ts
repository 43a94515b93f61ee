import { expect, test } from "vitest";
import { readConfig } from "../../../src/config/load/load.ts";

const text = `store: "redis://ops:hunter2@localhost:6379"
workers: "\${WORKERS}"
decisionHeader: "\${HEADER}"
staleAfter: 45s
auth: { tokens: [{ name: ana, role: viewer, sha256: ${"a".repeat(64)} }] }
upstreams:
  a: { url: "http://127.0.0.1:1" }
  b: { url: "http://127.0.0.1:2" }
default: a
cutovers:
  checkout:
    legacy: a
    new: b
    shopper: ["header:x-id"]
    routes: [{ name: r, path: /r, journey: start }]
    journey: { cookie: c, secret: "\${SECRET}" }
`;

function linesOf(yaml: string): readonly string[] {
  const env = { WORKERS: "2", HEADER: "x-hunter4", SECRET: "hunter5-long-enough-for-that" };
  const read = readConfig(Buffer.from(yaml), "c.yaml", env);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.explain().map(({ path, value, from }) => {
    const where =
      from.kind === "default" ? "default" : `${from.line}:${from.column}${from.filled ? " env" : ""}`;
    return `${path} = ${value} (${where})`;
  });
}

test("the explanation tells each value as it is written, where it stands, and the defaults", () => {
  expect(linesOf(text)).toEqual(
    expect.arrayContaining([
      "staleAfter = 45s (4:13)",
      "workers = 2 (2:10 env)",
      "cutovers.checkout.routes[0].path = /r (15:31)",
      'cutovers.checkout.shopper = ["header:x-id"] (14:14)',
      "cutovers.checkout.journey.ttl = 30m (default)",
      "limits.body = 2GiB (default)",
      "audit = var/audit.ndjson (default)",
      "upstreams.a.timeouts.connect = 2s (default)",
    ]),
  );
});

test("the explanation masks what is secret, or came from the environment and may be", () => {
  const lines = linesOf(text);
  expect(lines.join("\n")).not.toContain("hunter");
  expect(lines).toEqual(
    expect.arrayContaining([
      "store = redis://(masked)@localhost:6379 (1:8)",
      "auth.tokens[0].sha256 = (masked) (5:53)",
      "cutovers.checkout.journey.secret = (masked) (16:35 env)",
      "decisionHeader = (masked) (3:17 env)",
    ]),
  );
});

test("what is written as a default reads back as the same", () => {
  const least = "upstreams: { a: { url: 'http://127.0.0.1:1' } }\ndefault: a\n";
  const again = linesOf(least)
    .filter((line) => line.endsWith("(default)") && !line.includes("."))
    .map((line) => line.replace(/ = (.*) \(default\)$/, ": $1"));
  expect(again.length).toBeGreaterThan(5);
  const written = linesOf(`${least}${again.join("\n")}\n`);
  for (const line of again) expect(written.join("\n")).toContain(line.replace(": ", " = "));
});

test("the explanation tells owners as they are written, as a list or as a mapping", () => {
  const keys = '[{ key: "header:x" }]';
  expect(linesOf(`${text}    owners: ${keys}\n`)).toEqual(
    expect.arrayContaining([
      "cutovers.checkout.owners[0].key = header:x (17:21)",
      "cutovers.checkout.owners[0].ttl = 180d (default)",
      "cutovers.checkout.owners.budget = 6000 (default)",
    ]),
  );
  const mapping = `{ budget: 5, keys: ${keys} }`;
  expect(linesOf(`${text}    owners: ${mapping}\n`)).toEqual(
    expect.arrayContaining([
      "cutovers.checkout.owners.budget = 5 (17:23)",
      "cutovers.checkout.owners.keys[0].ttl = 180d (default)",
      "cutovers.checkout.owners.learnBody = 1MiB (default)",
    ]),
  );
});
