// Runs what the tests measure in full: `npm run bars`, or some of it by the names of its files: `npm run bars -- slips overload`.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Integration tests are held to bars as they are; of the others those that have a full form. */
const files = readdirSync(join(root, "test"), { recursive: true })
  .filter((file) => file.endsWith(".test.ts") && (file.startsWith("integration/") || hasFullForm(file)))
  .sort();
const nameOf = (file) => basename(file, ".test.ts");
const known = new Set(files.map(nameOf));

const names = process.argv.slice(2);
const unknown = names.filter((name) => !known.has(name));
if (unknown.length > 0) {
  process.stderr.write(`no bar is named ${unknown.join(", ")}; there are:\n  ${[...known].join("\n  ")}\n`);
  process.exit(2);
}
const wanted = names.length === 0 ? files : files.filter((file) => names.includes(nameOf(file)));
const build = spawnSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
if (build.status !== 0) process.exit(1);
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const paths = wanted.map((file) => `test/${file}`);
const env = { ...process.env, CUTOVER_BARS: "full" };
const { status } = spawnSync(process.execPath, [vitest, "run", ...paths], {
  cwd: root,
  env,
  stdio: "inherit",
});
process.exitCode = status ?? 1;

function hasFullForm(file) {
  return readFileSync(join(root, "test", file), "utf8").includes("process.env.CUTOVER_BARS");
}
