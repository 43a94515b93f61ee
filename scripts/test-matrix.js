// Runs the suite, or a part of it, by each Node that `engines` promises: `npm run test:matrix -- [--node 24] [vitest's arguments]`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** The floor of `engines`, and a release of each line since; the last is the image's (Dockerfile). Pinned, as packages are. */
const releases = new Map([
  ["20.19", "20.19.2"],
  ["22", "22.23.5"],
  ["24", "24.22.3"],
  ["26", "26.12.1"],
]);
const installTimeoutMs = 180_000;
const [wanted, rest] = chosen(process.argv.slice(2));

const failed = [];
for (const line of wanted) {
  const node = installed(releases.get(line));
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();
  process.stdout.write(`\n== Node ${version}\n`);
  // What tests start by name is this Node too.
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ""}` };
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const { status } = spawnSync(node, [vitest, "run", ...rest], { cwd: root, env, stdio: "inherit" });
  if (status !== 0) failed.push(version);
}
process.stdout.write(
  failed.length === 0 ? `\nNode ${wanted.join(", ")}: all passed\n` : `\nfailed by ${failed.join(", ")}\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

/** @returns the lines asked for by --node, all without it; and what is vitest's */
function chosen(args) {
  const asked = [];
  const others = [];
  const left = args.values();
  for (const arg of left) {
    if (arg === "--node") asked.push(...(left.next().value ?? "").split(","));
    else others.push(arg);
  }
  const lines = [...releases.keys()];
  const unknown = asked.filter((line) => !releases.has(line));
  if (unknown.length > 0) {
    process.stderr.write(`--node is one of ${lines.join(", ")}, not ${unknown.join(", ")}\n`);
    process.exit(2);
  }
  return [asked.length === 0 ? lines : asked, others];
}

/** The binary, out of a package of the npm registry that holds nothing else; kept beside the other packages. */
function installed(version) {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(root, "node_modules/.cache/nodes", version);
  const node = join(folder, "node_modules", name, "bin/node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  const options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"];
  const { status, error } = spawnSync(
    "npm",
    ["install", ...options, "--prefix", folder, `${name}@${version}`],
    {
      stdio: "inherit",
      timeout: installTimeoutMs,
    },
  );
  if (status !== 0 || !existsSync(node)) {
    const why = error === undefined ? "" : `: ${error.message}`;
    process.stderr.write(
      `Node ${version} could not be installed from the npm registry (${name}), so nothing was run by it${why}\n`,
    );
    process.exit(1);
  }
  return node;
}
