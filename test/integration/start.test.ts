/** What a start loads and costs, as built. What is bundled is known by the source maps of the files that are loaded. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import {
  appendFile,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { portOf } from "../../src/proxy/listen/server.ts";
import { cpuOfRun, cpuSoFar } from "../support/cpu-time.ts";
import { checkout, ownProcess, startServe } from "../support/cutover.ts";
import { type Shape, serveYaml } from "../support/serve-yaml.ts";

const isFull = process.env.CUTOVER_BARS === "full";

const run = promisify(execFile);
const bin = join(checkout, "bin/cutover.js");
const sides = { legacy: "http://127.0.0.1:1", new: "http://127.0.0.1:1" };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-start-"));
  await run(process.execPath, [join(checkout, "scripts/build.js")]);
});
afterAll(() => rm(folder, { recursive: true }));

const map = z.object({ sources: z.array(z.string()) });

/** Node's flag that has the URL of each module written to a file before it is loaded. */
function writingLoadsTo(path: string): string {
  const hooks = `import { appendFileSync } from "node:fs";
    export function load(url, context, next) {
      appendFileSync(${JSON.stringify(path)}, url + "\\n");
      return next(url, context);
    }`;
  const inUrl = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const preload = `import { register } from "node:module"; register(${JSON.stringify(inUrl(hooks))});`;
  return `--import=${inUrl(preload)}`;
}

/** Serves until it is ready. @returns the packages that were loaded, and files from outside dist/ */
async function loadedBy(name: string, shape: Partial<Shape>) {
  const path = join(folder, `${name}.loads`);
  const serve = await startServe({
    folder,
    name,
    yaml: serveYaml({ sides, ...shape }),
    nodeFlags: [writingLoadsTo(path)],
  });
  await serve.stop();
  const urls = (await readFile(path, "utf8")).trim().split("\n");
  const files = urls.filter((url) => url.startsWith("file:")).map((url) => fileURLToPath(url));
  const built = files.filter((file) => file.startsWith(join(checkout, "dist/")));
  const maps = await Promise.all(
    built.map(async (file) => map.parse(JSON.parse(await readFile(`${file}.map`, "utf8")))),
  );
  const packages = maps.flatMap(({ sources }) =>
    sources.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []),
  );
  return { packages: new Set(packages), outside: files.filter((file) => !built.includes(file)) };
}

describe("what a process does not need it does not load", () => {
  const seldom = ["ioredis", "jose", "http-proxy"];

  test.each([
    ["memory", { store: "memory:" }],
    ["file", { store: "file:state.json" }],
  ])(
    "an instance on the embedded store (%s) loads no client of Redis, no other engine, no issuer's keys",
    async (name, shape) => {
      const { packages } = await loadedBy(name, shape);
      expect(seldom.filter((each) => packages.has(each))).toEqual([]);
      for (const needed of ["fastify", "undici", "zod"]) expect(packages, needed).toContain(needed);
    },
  );

  test("what is configured is loaded", async () => {
    const auth =
      "{ oidc: { issuer: 'http://127.0.0.1:1', audience: cutover, claim: groups, roles: { ops: admin } } }";
    const { packages } = await loadedBy("all", {
      store: "redis://127.0.0.1:1",
      auth,
      more: ["engine: http-proxy"],
    });
    expect(seldom.filter((each) => packages.has(each))).toEqual(seldom);
  });

  test("what is built needs no package beside it", async () => {
    const { outside } = await loadedBy("alone", {});
    expect(outside).toEqual([bin]);
  });
});

test.each(isFull ? ["undici", "http-proxy"] : ["undici"])(
  "with %s an instance does nothing that Node deprecates, as Node 22 and later say on stderr",
  async (engine) => {
    const serve = await startServe({
      folder,
      name: `deprecated-${engine}`,
      yaml: serveYaml({ sides, workers: 2, more: [`engine: ${engine}`] }),
      nodeFlags: ["--pending-deprecation"],
    });
    expect((await fetch(`${serve.proxy}/cart/1`)).status).toBe(502);
    expect(await serve.stop()).toBe(0);
    const lines = (await serve.log()).trim().split("\n");
    expect(lines.filter((line) => !line.startsWith("{") && !line.endsWith("(warning)"))).toEqual([]);
  },
);

describe("what a start costs (npm run bench -- --start)", () => {
  const rounds = 5;
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
  const bareNode = () => cpuOfRun([process.execPath, "-e", "0"]);

  test("the version is told for less than four bare starts of node", () => {
    const ratios = Array.from({ length: rounds }, () => {
      const bareMs = bareNode();
      return cpuOfRun([process.execPath, bin, "--version"]) / bareMs;
    });
    expect(median(ratios)).toBeLessThan(4);
  });

  test("an instance is ready for less than eight of them and 0.3 s", async () => {
    const beyond: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const bareMs = bareNode();
      const serve = await startServe({ folder, name: `cost-${round}`, yaml: serveYaml({ sides }) });
      beyond.push(cpuSoFar(serve.pid) - 8 * bareMs);
      await serve.kill();
    }
    expect(median(beyond)).toBeLessThan(300);
  });
});

describe("what is built already", () => {
  const built = async () => {
    const files = ["dist", "dist/main.js", "dist/.inputs"];
    const found = await Promise.all(files.map((file) => stat(join(checkout, file))));
    return found.map(({ ino, mtimeMs }) => ({ ino, mtimeMs }));
  };

  test("is not built again by the first npx in a checkout", async () => {
    const before = await built();
    const { stdout } = await run("npx", ["cutover", "--version"], {
      cwd: checkout,
      env: { PATH: process.env.PATH ?? "", HOME: folder, npm_config_cache: join(folder, "npm") },
    });
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(checkout, "package.json"), "utf8")));
    expect(stdout.trim()).toBe(version);
    expect(await built()).toEqual(before);
  });

  test("is not built again by a build", async () => {
    const before = await built();
    await run("npm", ["run", "--silent", "build"], { cwd: checkout });
    expect(await built()).toEqual(before);
  });
});

describe("what is built of other files than those that are there, or is not as it was built, is built anew", () => {
  let copy: string;
  const build = () => run(process.execPath, [join(copy, "scripts/build.js")]);
  const inode = async () => (await stat(join(copy, "dist"))).ino;

  beforeAll(async () => {
    copy = join(folder, "copy");
    const packages = join(copy, "node_modules");
    await mkdir(packages, { recursive: true });
    for (const name of ["src", "scripts"]) {
      await cp(join(checkout, name), join(copy, name), { recursive: true });
    }
    for (const name of ["package.json", "package-lock.json", "tsconfig.json"]) {
      await copyFile(join(checkout, name), join(copy, name));
    }
    for (const name of await readdir(join(checkout, "node_modules"))) {
      const from = join(checkout, "node_modules", name);
      if (name === ".package-lock.json") await copyFile(from, join(packages, name));
      else await symlink(from, join(packages, name));
    }
    await build();
  });

  test.each([
    ["a script of Redis", "src/state/store/redis/scripts/apply.lua"],
    ...(isFull
      ? [
          ["a program", "src/cli/frame.ts"],
          ["what npm says is installed", "node_modules/.package-lock.json"],
        ]
      : []),
    ["a file of dist/ that another build has written over", "dist/main.js"],
  ])("%s: %s", async (_, path) => {
    const before = await inode();
    await build();
    expect(await inode()).toBe(before);
    await appendFile(join(copy, path), "\n");
    await build();
    expect(await inode()).not.toBe(before);
    if (path.endsWith(".lua")) {
      const [from, to] = await Promise.all(
        [path, path.replace("src/", "dist/")].map((each) => readFile(join(copy, each), "utf8")),
      );
      expect(to).toBe(from);
    }
  });

  test("a build that fails leaves what was built, and does not pass it off as built of what is there", async () => {
    const before = await inode();
    await writeFile(join(copy, "src/main.ts"), "import './nowhere.ts';\n");
    await expect(build()).rejects.toThrow();
    expect(await inode()).toBe(before);
    await expect(build()).rejects.toThrow();
  });
});

const tokens = `tokens: [{ name: ops, role: operator, sha256: '${"0".repeat(64)}' }]`;
const oidc =
  "oidc: { issuer: 'https://127.0.0.1:1', audience: cutover, claim: groups, roles: { ops: operator } }";

test.each([
  ["another engine", "http-proxy", { more: ["engine: http-proxy"] }],
  ["a first issuer", "jose", { auth: `{ ${tokens}, ${oidc} }` }],
] as const)(
  "a reload that asks for %s is refused where the program was replaced and has it no more, and requests go on",
  async (_, needed, asked) => {
    const copy = join(folder, `replaced-${needed}`);
    for (const part of ["bin", "dist", "package.json"]) {
      await cp(join(checkout, part), join(copy, part), { recursive: true });
    }
    const shop = createServer((_, response) => response.end("ok")).listen(0, "127.0.0.1");
    await once(shop, "listening");
    const own = { legacy: `http://127.0.0.1:${portOf(shop.address())}`, new: sides.new };
    const serve = await startServe({
      folder: copy,
      name: "serve",
      yaml: serveYaml({ sides: own, auth: `{ ${tokens} }` }),
      runner: {
        run(words, cwd, logged) {
          const copied = words.map((word) => (word === bin ? join(copy, "bin/cutover.js") : word));
          return ownProcess.run(copied, cwd, logged);
        },
      },
    });
    const built = await readdir(join(copy, "dist"), { recursive: true });
    for (const name of built.filter((one) => one.endsWith(".js.map"))) {
      const { sources } = map.parse(JSON.parse(await readFile(join(copy, "dist", name), "utf8")));
      const isNeeded = sources.some((source) => source.includes(`node_modules/${needed}/`));
      if (isNeeded) await rm(join(copy, "dist", name.slice(0, -".map".length)));
    }
    await serve.rewrite(serveYaml({ sides: own, auth: `{ ${tokens} }`, ...asked }));
    serve.signal("SIGHUP");
    const [said] = await serve.said("the configuration was not changed: the one in force stays");
    expect(JSON.stringify(said)).toMatch(/Cannot find module/);
    expect(await (await fetch(`${serve.proxy}/elsewhere`)).text()).toBe("ok");
    expect(await serve.stop()).toBe(0);
    shop.close();
  },
);
