/**
 * `npm run build`: makes dist/ of src/, and does nothing where dist/ is what it made of the very files that are there.
 *
 *   node scripts/build.js [--force]
 *
 * The programs are bundled with the packages they use, in chunks that are loaded as they are needed
 * (docs/decisions/0012-one-bundle.md). A file that is read at run time keeps its place: src/a/b.lua is dist/a/b.lua.
 * The new dist/ takes the old one's place whole, so a process that starts meanwhile finds either.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, extname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const src = join(root, "src");
const dist = join(root, "dist");
const schema = join(root, "config/cutover.schema.json");
const assets = [".lua"];
/** Says of which files dist/ was made, and what it was then: something else may have written there since. */
const stamp = ".inputs";

/** Programs that are started by their path, what this script itself runs, and what the package exports. */
const entries = [
  "main",
  "worker",
  "demo/shop-process",
  "demo/shoppers-process",
  "config/json-schema",
  "proxy/handover/token",
];

/** Source files that look for others by their own place. */
const placed = new Set();

/** To a file of the source `import.meta.url` is its place, as if it stood in dist/ by itself and not in a chunk there. */
const keepPlaces = {
  name: "keep-places",
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      if (!path.startsWith(src + sep) || !text.includes("import.meta.url")) return undefined;
      placed.add(path);
      const place = `./${relative(src, path).replaceAll(sep, "/").replace(/\.ts$/, ".js")}`;
      const url = `new URL(${JSON.stringify(place)}, import.meta.url).href`;
      return { contents: text.replaceAll("import.meta.url", url), loader: "ts" };
    });
  },
};

/** The proxy uses one class of undici: the rest of it (fetch, caches, mocks) would be a tenth of a start. */
const undiciClient = {
  name: "undici-client",
  setup(build) {
    const namespace = "undici-client";
    build.onResolve({ filter: /^undici$/ }, ({ importer }) =>
      importer.startsWith(join(src, "proxy") + sep) ? { path: "Client", namespace } : undefined,
    );
    build.onLoad({ filter: /./, namespace }, () => ({
      contents: 'export { default as Client } from "undici/lib/dispatcher/client.js";',
      resolveDir: root,
    }));
  },
};

/** What http-proxy copies options by is deprecated, and said so on stderr from Node 22 on; it stood for Object.assign. */
const httpProxyCopies = {
  name: "http-proxy-copies",
  setup(build) {
    build.onLoad({ filter: /[/\\]node_modules[/\\]http-proxy[/\\]lib[/\\].+\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      return { contents: text.replaceAll("require('util')._extend", "Object.assign"), loader: "js" };
    });
  },
};

const inputs = inputsDigest();
if (process.argv.includes("--force") || !isMadeOf(inputs)) await build();

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/**
 * Whatever the build reads, but the packages themselves: npm's lock files stand for them. The one in node_modules
 * says what is installed, which is not what the other asks for between `git pull` and `npm ci`.
 */
function inputsDigest() {
  const others = [
    "package.json",
    "package-lock.json",
    "node_modules/.package-lock.json",
    "tsconfig.json",
    "scripts/build.js",
  ];
  return digestOf(root, [...filesBelow(src), ...others.map((name) => join(root, name)).filter(existsSync)]);
}

/** @param paths each below `folder` */
function digestOf(folder, paths) {
  const digest = createHash("sha256");
  for (const path of paths) {
    const content = readFileSync(path);
    digest.update(`${relative(folder, path)}\0${content.length}\0`).update(content);
  }
  return digest.digest("hex");
}

/** @param folder dist/, or what shall take its place */
function stampOf(inputs, folder) {
  const outputs = filesBelow(folder).filter((path) => path !== join(folder, stamp));
  return `${inputs} ${digestOf(folder, outputs)}`;
}

function isMadeOf(inputs) {
  try {
    return existsSync(schema) && readFileSync(join(dist, stamp), "utf8") === stampOf(inputs, dist);
  } catch {
    // It is not there, or another build is just about to take its place.
    return false;
  }
}

async function build() {
  const next = join(root, `.dist-${process.pid}`);
  const last = join(root, `.dist-${process.pid}-last`);
  try {
    const { metafile } = await bundle(next);
    for (const path of filesBelow(src)) {
      if (assets.includes(extname(path))) cpSync(path, join(next, relative(src, path)));
    }
    const shipped = await bundleConsole(join(next, "console"));
    const paths = [metafile, shipped.metafile].flatMap(({ inputs }) => Object.keys(inputs));
    writeFileSync(join(next, "third-party-licenses.txt"), licenses(paths));
    await writeSchema(next);
    writeFileSync(join(next, stamp), stampOf(inputs, next));
    takePlace(next, last);
  } finally {
    for (const folder of [next, last]) rmSync(folder, { recursive: true, force: true });
  }
}

async function bundle(outdir) {
  const esbuild = await import("esbuild");
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: entries.map((entry) => ({ in: `src/${entry}.ts`, out: entry })),
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    mainFields: ["module", "main"],
    chunkNames: "[name]-[hash]",
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    metafile: true,
    // What fastify would check and write bodies by, and feign requests: the admin API does without (src/admin/every-request.ts).
    external: ["@fastify/ajv-compiler", "@fastify/fast-json-stringify-compiler", "light-my-request"],
    logLevel: "warning",
    plugins: [keepPlaces, undiciClient, httpProxyCopies],
    // Packages in CommonJS ask for Node's modules by it.
    banner: {
      js: 'import { createRequire as createRequireHere } from "node:module"; const require = createRequireHere(import.meta.url);',
    },
  });
  for (const [output, { inputs: parts }] of Object.entries(result.metafile.outputs)) {
    const misplaced = Object.keys(parts).filter((part) => placed.has(join(root, part)));
    if (dirname(join(root, output)) !== outdir && misplaced.length > 0) {
      throw new Error(`${misplaced.join(", ")} cannot be bundled into ${output}: its place would be another`);
    }
  }
  return result;
}

/** What browsers load: the console's script, its charts, which it loads by their path, and its style (src/console). */
async function bundleConsole(outdir) {
  const esbuild = await import("esbuild");
  return await esbuild.build({
    absWorkingDir: root,
    entryPoints: [
      { in: "src/console/browser/main.tsx", out: "console" },
      { in: "src/console/browser/charts.ts", out: "charts" },
      { in: "src/console/style/console.css", out: "console" },
    ],
    outdir,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    // `:modal`, native dialogs, AbortSignal.timeout.
    target: ["chrome111", "firefox113", "safari16.4"],
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
}

/** @param paths of all that was bundled, from the root */
function licenses(paths) {
  const folders = new Set(
    paths.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const file = readdirSync(join(root, folder)).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? "" : readFileSync(join(root, folder, file), "utf8");
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

/** Writes the configuration's JSON Schema for editors, from what was just built. */
async function writeSchema(folder) {
  const { configSchemaText } = await import(pathToFileURL(join(folder, "config/json-schema.js")).href);
  const text = configSchemaText();
  if (existsSync(schema) && readFileSync(schema, "utf8") === text) return;
  mkdirSync(dirname(schema), { recursive: true });
  writeFileSync(schema, text);
}

/** Another build may do the same just now: the later one stays. */
function takePlace(next, last) {
  for (let tries = 1; ; tries++) {
    rmSync(last, { recursive: true, force: true });
    try {
      if (existsSync(dist)) renameSync(dist, last);
      renameSync(next, dist);
      return;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}
