/** The rules of the house (docs/architecture.md), held against the source as text, and against a breach of each. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  assertionsIn,
  assertionsInMarkup,
  circlesIn,
  crowdedRooms,
  exportsWithoutUser,
  filesOfOneImporter,
  impureIn,
  isInside,
  longFiles,
  longFunctions,
  misusedWords,
  namesInTwoFiles,
  nonNullIn,
  type Room,
  type SourceFile,
  sourceFile,
  strangersIn,
  tokensOf,
  wrongEntries,
} from "../support/house.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Paths below a folder of the checkout, with slashes. */
function pathsIn(folder: string): string[] {
  const found = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, folder).length + 1))
    .map((path) => path.replaceAll("\\", "/"));
}

const paths = pathsIn("src");
const files: readonly SourceFile[] = paths
  .filter((path) => /\.tsx?$/.test(path))
  .map((path) => sourceFile(path, readFileSync(join(root, "src", path), "utf8")));
/** With the paths that they would have from src. */
const tests: readonly SourceFile[] = pathsIn("test")
  .filter((path) => path.endsWith(".ts"))
  .map((path) => sourceFile(`../test/${path}`, readFileSync(join(root, "test", path), "utf8")))
  .map((file) => ({
    ...file,
    imports: file.imports.map((one) => ({ ...one, target: one.target.replace(/^\.\.\/src\//, "") })),
  }));

/** What is run, or loaded by its path. */
const entries = [
  "main.ts",
  "worker.ts",
  "demo/shop-process.ts",
  "demo/shoppers-process.ts",
  "config/json-schema.ts",
  "proxy/handover/token.ts",
  "console/browser/main.tsx",
  "console/browser/charts.ts",
];

/** From the ground up: nobody knows what stands further down in this list. */
const rooms: readonly Room[] = [
  { room: "base/", knows: [] },
  { room: "redis/", knows: ["base/"] },
  { room: "config/values/", knows: ["base/"] },
  { room: "config/", knows: ["base/", "redis/"] },
  { room: "state/rules/", knows: ["base/"] },
  { room: "state/store/", knows: ["base/", "redis/", "state/rules/"] },
  { room: "state/follow/", knows: ["base/", "state/rules/", "state/store/port.ts"] },
  { room: "state/leading/", knows: ["base/", "state/rules/", "state/store/port.ts", "state/follow/"] },
  { room: "decide/", knows: ["config/values/", "state/rules/"] },
  { room: "guard/evidence/", knows: [] },
  { room: "guard/verdict/", knows: ["guard/evidence/"] },
  { room: "guard/simulate/", knows: ["guard/evidence/", "guard/verdict/"] },
  { room: "ownership/", knows: ["base/", "redis/", "config/values/", "state/rules/", "decide/"] },
  { room: "lists/", knows: ["base/", "redis/"] },
  { room: "notify/", knows: ["base/", "config/", "state/rules/", "state/follow/"] },
  { room: "audit/", knows: ["base/", "state/rules/", "state/store/port.ts"] },
  {
    room: "proxy/",
    knows: [
      "base/",
      "config/",
      "state/rules/",
      "state/follow/",
      "decide/",
      "ownership/port.ts",
      "lists/port.ts",
    ],
  },
  { room: "guard/window/", knows: ["base/", "state/rules/", "decide/", "proxy/", "guard/evidence/"] },
  { room: "guard/metrics/", knows: ["base/", "config/", "state/rules/", "guard/verdict/"] },
  {
    room: "guard/watch/",
    knows: [
      "base/",
      "config/",
      "state/rules/",
      "state/store/port.ts",
      "state/follow/",
      "state/leading/",
      "audit/port.ts",
      "proxy/",
      "guard/evidence/",
      "guard/verdict/",
      "guard/window/",
      "guard/metrics/",
    ],
  },
  { room: "plan/", knows: ["base/", "config/", "state/rules/", "guard/evidence/"] },
  {
    room: "plan/returning/",
    knows: [
      ...["base/", "config/", "state/rules/", "state/store/port.ts", "state/follow/", "state/leading/"],
      "plan/",
    ],
  },
  {
    room: "plan/steward/",
    knows: [
      ...["base/", "config/", "state/rules/", "state/store/port.ts", "state/follow/", "state/leading/"],
      ...["guard/evidence/", "plan/"],
    ],
  },
  { room: "telemetry/", knows: ["base/", "state/rules/", "state/follow/", "decide/", "proxy/"] },
  { room: "admin/api/", knows: ["base/", "state/rules/", "decide/"] },
  { room: "console/", knows: ["admin/api/"] },
  {
    room: "admin/",
    knows: [
      "base/",
      "config/",
      "state/rules/",
      "state/store/port.ts",
      "state/follow/",
      "decide/",
      "ownership/under-way/",
      "ownership/exposure/",
      "ownership/past/port.ts",
      "lists/port.ts",
      "audit/port.ts",
      "telemetry/",
      "admin/api/",
      "console/",
    ],
  },
  { room: "cli/", knows: ["base/", "admin/api/"] },
  { room: "demo/", knows: ["base/", "config/", "state/rules/"] },
  {
    room: "instance/",
    knows: [
      "base/",
      "redis/",
      "config/",
      "state/rules/",
      "state/store/",
      "state/follow/",
      "state/leading/",
      "decide/",
      "ownership/",
      "lists/",
      "audit/",
      "notify/",
      "proxy/",
      "guard/",
      "plan/",
      "telemetry/",
      "admin/",
    ],
  },
];

/** A room of its own each, or a place within one. */
const packages: Readonly<Record<string, readonly string[]>> = {
  ioredis: ["redis/"],
  undici: ["proxy/upstream/", "demo/"],
  "http-proxy": ["proxy/upstream/http-proxy/"],
  yaml: ["config/", "cli/commands/apply/yaml.ts"],
  croner: ["config/plan/"],
  pino: ["telemetry/"],
  commander: ["cli/"],
  graphql: ["proxy/request/choice/", "demo/storefronts/"],
  fastify: ["admin/"],
  jose: ["admin/access/"],
  "openid-client": ["admin/access/", "cli/sign-in/"],
  preact: ["console/"],
  "preact-render-to-string": ["console/port.tsx"],
  uplot: ["console/browser/"],
  "@fastify/cookie": ["admin/access/"],
  "@fastify/session": ["admin/access/"],
  "@fastify/csrf-protection": ["admin/access/"],
};

const pureRooms = [
  "decide/",
  "state/rules/",
  "config/values/",
  "guard/evidence/",
  "guard/verdict/",
  "guard/simulate/",
  "guard/metrics/rule.ts",
  "guard/window/assignments.ts",
  "guard/window/attempts.ts",
  "guard/window/buckets.ts",
  "guard/window/journeys.ts",
  "guard/window/looks.ts",
  "guard/window/slow.ts",
  "guard/window/step-history.ts",
  "guard/window/told.ts",
  "plan/plan.ts",
  "plan/returning/return.ts",
  "plan/steps.ts",
  "plan/windows.ts",
  "plan/deadline.ts",
  "plan/gathering.ts",
];
/** Their answers depend on nothing but the arguments; of node:crypto digests and comparison in constant time. */
const purePackages = ["re2js", "node:crypto", "zod"];

/** Words of the contract that mean there what the contract says, and are other things' names nowhere. */
const words = [
  {
    word: /\b\w*(?:[hH]old|[hH]eld)(?:s|er|ers|ing|[A-Z]\w*)?\b/g,
    rooms: ["base/", "redis/", "ownership/", "proxy/", "telemetry/"],
  },
];

const planted = (parts: Readonly<Record<string, string>>): SourceFile[] =>
  Object.entries(parts).map(([path, text]) => sourceFile(path, text));

test("the source is found and read", () => {
  expect(files.length).toBeGreaterThan(200);
  const decide = files.find(({ path }) => path === "decide/decide.ts");
  expect(decide?.imports.map(({ target }) => target)).toEqual([
    "state/rules/model.ts",
    "state/rules/percent.ts",
  ]);
  expect(decide?.exports).toContain("decide");
  expect(decide?.code).not.toContain("PURE");
});

describe("who may know whom", () => {
  test("a room is entered by its folder or its port, and knows none above it", () => {
    expect(wrongEntries(rooms)).toEqual([]);
  });

  test("a single file in the table, and a room that knows one above it, are found", () => {
    expect(wrongEntries([{ room: "a/", knows: ["b/c.ts"] }])).toHaveLength(1);
    expect(
      wrongEntries([
        { room: "a/", knows: ["b/"] },
        { room: "b/", knows: [] },
      ]),
    ).toHaveLength(1);
  });

  test("every file imports only what its room may know", () => {
    expect(strangersIn(files, rooms)).toEqual([]);
  });

  test("an import from a room that is not known, and a room without a rule, are found", () => {
    const files = planted({
      "decide/a.ts": 'import { x } from "../proxy/exchange.ts";',
      "attic/b.ts": "const b = 1;",
      "ownership/c.ts": 'const { x } = await import("../telemetry/log.ts");',
    });
    expect(strangersIn(files, rooms)).toEqual([
      "decide/a.ts imports proxy/exchange.ts",
      "attic/b.ts is in no room of the table",
      "ownership/c.ts imports telemetry/log.ts",
    ]);
  });

  test("only main.ts and worker.ts know instance/, and nobody knows them", () => {
    const known = (wanted: (target: string) => boolean) =>
      files.filter(({ imports }) => imports.some(({ target }) => wanted(target))).map(({ path }) => path);
    const others = known((target) => target.startsWith("instance/"));
    expect(others.filter((path) => !path.startsWith("instance/")).sort()).toEqual(["main.ts", "worker.ts"]);
    expect(known((target) => target === "main.ts" || target === "worker.ts")).toEqual([]);
  });

  test.each(Object.entries(packages))("the package %s is used in %j alone", (name, places) => {
    const users = files.filter(({ imports }) => imports.some(({ target }) => target === name));
    expect(users.length).toBeGreaterThan(0);
    expect(users.map(({ path }) => path).filter((path) => !isInside(path, places))).toEqual([]);
  });

  test("prom-client is used in telemetry/ and where a room has metrics of its own", () => {
    const users = files.filter(({ imports }) => imports.some(({ target }) => target === "prom-client"));
    const wrong = users.filter(({ path }) => !path.startsWith("telemetry/") && !path.endsWith("/metrics.ts"));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe("rooms that can be seen", () => {
  test("at most 12 files stand in a room", () => {
    expect(crowdedRooms(paths, 12)).toEqual([]);
  });

  test("a room of 13 files is found", () => {
    const many = Array.from({ length: 13 }, (_, n) => `a/${n}.ts`);
    expect(crowdedRooms([...many, "a/b/c.ts"], 12)).toEqual(["a/ holds 13 files"]);
  });

  test("imports run in no circle", () => {
    expect(circlesIn(files)).toEqual([]);
  });

  test("a circle over three files is found, also one of types", () => {
    const files = planted({
      "a/a.ts": 'import { b } from "./b.ts";',
      "a/b.ts": 'import type { C } from "../c/c.ts";',
      "c/c.ts": 'export { a } from "../a/a.ts";',
    });
    expect(circlesIn(files)).toEqual(["a/a.ts → a/b.ts → c/c.ts → a/a.ts"]);
  });

  test("an exported name stands in one file", () => {
    expect(namesInTwoFiles(files)).toEqual([]);
  });

  test("a name that two files export is found", () => {
    const files = planted({ "a/a.ts": "export interface Gate {}", "b/b.ts": "export const Gate = 1;" });
    expect(namesInTwoFiles(files)).toEqual(["Gate: a/a.ts, b/b.ts"]);
  });

  test("an export has a user in another file", () => {
    expect(
      exportsWithoutUser(
        files.filter(({ path }) => !entries.includes(path)),
        [...files, ...tests],
      ),
    ).toEqual([]);
  });

  test("an export that nobody imports is found", () => {
    const files = planted({
      "a/a.ts": "export const used = 1;\nexport const idle = 2;\nexport type Lazy = 3;",
      "b/b.ts": 'import { used } from "../a/a.ts";\nconst { Lazy } = await import("../a/a.ts");',
    });
    expect(exportsWithoutUser(files, files)).toEqual(["a/a.ts exports idle"]);
  });

  test("a short file that one other imports has a subject of its own, which a unit test shows", () => {
    const unit = tests.filter(({ path }) => /\/(?:unit|property|contract)\//.test(path));
    const tested = new Set(unit.flatMap(({ imports }) => imports.map(({ target }) => target)));
    expect(filesOfOneImporter(files, entries, tested, 60)).toEqual([]);
  });

  test("a short file of one importer, and a file of none, are found", () => {
    const files = planted({
      "main.ts": 'import { a } from "./a/a.ts";',
      "a/a.ts": 'import { b } from "./b.ts";\nimport { c } from "./c.ts";',
      "a/b.ts": "export const b = 1;",
      "a/c.ts": `export const c = 1;\n${"c;\n".repeat(60)}`,
      "a/d.ts": "export const d = 1;",
    });
    expect(filesOfOneImporter(files, ["main.ts"], new Set(["a/a.ts"]), 60)).toEqual([
      "a/b.ts (1 lines) is known to a/a.ts alone",
      "a/d.ts is imported by nobody",
    ]);
  });

  test("no function has more than 100 lines", () => {
    expect(longFunctions(files, 100)).toEqual([]);
  });

  test("a function of 101 lines is found", () => {
    const of = (lines: number) =>
      `export function long(\n  a: number,\n): void {\n${"  a;\n".repeat(lines - 4)}}\n`;
    expect(longFunctions(planted({ "a.ts": of(101) }), 100)).toEqual(["a.ts: long has 101 lines"]);
    expect(longFunctions(planted({ "a.ts": of(100) }), 100)).toEqual([]);
  });

  test("no file has more than 300 lines", () => {
    expect(longFiles(files, 300)).toEqual([]);
    expect(longFiles(planted({ "a.ts": "a;\n".repeat(301) }), 300)).toHaveLength(1);
  });

  test("a word of the contract means what the contract says", () => {
    expect(misusedWords(files, words)).toEqual([]);
    expect(
      misusedWords(planted({ "proxy/a.ts": "const held = holdBody(holders); holdup();" }), words),
    ).toEqual(["proxy/a.ts: held", "proxy/a.ts: holdBody", "proxy/a.ts: holders"]);
  });
});

describe("what is pure", () => {
  const pureFiles = files.filter(({ path }) => isInside(path, pureRooms));

  test("it imports only what is pure", () => {
    const wrong = pureFiles.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => !isInside(target, pureRooms) && !purePackages.includes(target))
        .map(({ target }) => `${path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("it has no clock, no chance and no surroundings", () => {
    expect(pureFiles.flatMap(({ path, bare }) => impureIn(bare).map((found) => `${path}: ${found}`))).toEqual(
      [],
    );
  });
});

describe("what stands nowhere in src", () => {
  test.each([
    [assertionsIn, "const a = b as Config;", "const a = [b] as const;"],
    [assertionsIn, "f(x as unknown as string)", 'import { a as b } from "c";'],
    [assertionsIn, "const a = <Config>b;", "const f = <T>(a: T) => a;"],
    [assertionsIn, `return \`\${a as string}\`;`, "// seen as a text"],
    [nonNullIn, "a!.b;", "a !== b; !a"],
    [nonNullIn, "f(a[0]!);", 'f("a!");'],
    [nonNullIn, "const x = a.get(b)!;\n", "if (!x) return f(/a!/);"],
    [impureIn, "const at = Date.now();", 'const at = "Date.now()";'],
    [impureIn, "return Math.random();", "/* Math.random() */"],
  ])("%o finds %j and not %j", (find, bad, good) => {
    expect(find(tokensOf(bad).bare)).not.toEqual([]);
    expect(find(tokensOf(good).bare)).toEqual([]);
  });

  function found(pattern: RegExp, part: "text" | "code" | "bare"): string[] {
    return files.flatMap((file) => {
      return file[part]
        .split("\n")
        .flatMap((line) => (pattern.test(line) ? [`${file.path}: ${line.trim()}`] : []));
    });
  }

  const each = (find: (bare: string) => string[]) =>
    files.flatMap(({ path, bare }) => find(bare).map((match) => `${path}: ${match}`));

  test("a type assertion (as const, and names in import and export lists, aside)", () => {
    const isMarkup = (path: string) => path.endsWith(".tsx");
    const found = files.flatMap(({ path, bare }) =>
      (isMarkup(path) ? assertionsInMarkup : assertionsIn)(bare).map((match) => `${path}: ${match}`),
    );
    expect(found).toEqual([]);
  });

  test("a non-null assertion", () => {
    expect(each(nonNullIn)).toEqual([]);
  });

  test("any, or a comment that silences a checker", () => {
    expect(found(/(?::|<|\bas|=|\||,)\s*any\b/, "bare")).toEqual([]);
    expect(found(/@ts-|biome-ignore|eslint-/, "text")).toEqual([]);
  });

  test("a variable of the module, or a default export", () => {
    expect(found(/^(?:export )?(?:let|var)\b/, "bare")).toEqual([]);
    expect(found(/^export default\b/, "bare")).toEqual([]);
  });

  test("work left over", () => {
    expect(found(/\b(?:TODO|FIXME|XXX|HACK)\b/, "text")).toEqual([]);
  });

  test("a module of Node without node:, or an import without its ending", () => {
    const bare = /^(?:fs|http|https|net|path|crypto|os|stream|events|url|util|tls)(?:\/|$)/;
    const wrong = files.flatMap(({ path, imports }) =>
      imports.filter(({ target }) => bare.test(target)).map(({ target }) => `${path}: ${target}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("docs/architecture.md", () => {
  const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const named = [...page.matchAll(/`(src\/[\w./-]+\.(?:ts|lua))`/g)].map(([, path = ""]) => path);

  /** The steps of the way of a request, out and back. */
  function steps(which: 0 | 1): { path: string; name: string }[] {
    const [, section = ""] = page.split("## The way of a request");
    const [way = ""] = section.split("\n## ");
    const part = way.split("And back:")[which] ?? "";
    return [...part.matchAll(/^\d+\. `src\/([\w./-]+)` `(\w+)`/gm)].map(([, path = "", name = ""]) => ({
      path,
      name,
    }));
  }

  test("every file that it names is there", () => {
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !paths.includes(path.slice("src/".length)))).toEqual([]);
  });

  test("a plain request takes at most 8 steps out and 5 back, each a function that is there", () => {
    expect(steps(0).length).toBeGreaterThan(3);
    expect(steps(0).length).toBeLessThanOrEqual(8);
    expect(steps(1).length).toBeGreaterThan(2);
    expect(steps(1).length).toBeLessThanOrEqual(5);
    for (const way of [steps(0), steps(1)]) {
      for (const { path, name } of way) {
        expect(files.find((file) => file.path === path)?.code, `${path} ${name}`).toMatch(
          new RegExp(`function ${name}\\b`),
        );
      }
    }
  });
});

test("package-lock.json names no registry's host", () => {
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  expect(lock).not.toMatch(/"resolved"|\bregistry\./);
});
