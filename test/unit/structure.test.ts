/** The rules of the house, checked on the source as text: who may know whom, and what stands nowhere. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const src = join(root, "src");

interface SourceFile {
  /** From src, with slashes: `state/model.ts`. */
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly code: string;
  /** Without comments, and with the text of strings and expressions taken out. */
  readonly bare: string;
  /** What it imports from src, from src; and packages by their name. */
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => relative(src, join(src, name)).replaceAll("\\", "/"))
  .map((path) => {
    const text = readFileSync(join(src, path), "utf8");
    const { code, bare } = tokensOf(text);
    return { path, text, code, bare, imports: importsOf(path, code) };
  });

/** Comments, strings and regular expressions, as far as this code's style needs them told apart. */
function tokensOf(text: string): { code: string; bare: string } {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|\$\{(?:[^{}`]|`[^`]*`|\{[^{}]*\})*\}|[^`\\])*`|(?<=[(,=:[!&|?{};\n]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;
  const isComment = (found: string) => found.startsWith("//") || found.startsWith("/*");
  const code = text.replace(token, (found) => (isComment(found) ? " " : found));
  const bare = text.replace(token, (found) => {
    if (isComment(found)) return " ";
    // What stands in ${} of a template is code.
    return found.startsWith("`")
      ? `(${[...found.matchAll(/\$\{([^}]*)/g)].map(([, inner]) => inner).join(", ")})`
      : '""';
  });
  return { code, bare };
}

function importsOf(path: string, code: string): string[] {
  const specifiers = [...code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g)].map(
    ([, specifier]) => specifier ?? "",
  );
  return specifiers.map((specifier) => {
    return specifier.startsWith(".") ? posix.join(dirname(path), specifier) : specifier;
  });
}

function isInside(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || (place.endsWith("/") && path.startsWith(place)));
}

function assertionsIn(bare: string): string[] {
  const lists = /\b(?:import|export)\s+(?:type\s+)?(?:\w+\s*,\s*)?(?:\{[^}]*\}|\*\s+as\s+\w+)/g;
  const code = bare.replace(lists, "");
  return [
    ...(code.match(/[^\s,{(]\s+as\s+(?!const\b)[\w{([]\S*/g) ?? []),
    ...(code.match(/(?:[=(,]|return|=>)\s*<(?!const\b)[A-Za-z][^<>()]*>\s*[\w{[]/g) ?? []),
  ];
}

function nonNullIn(bare: string): string[] {
  return bare.match(/[\w)\]]!(?:[.;,)\]}[(]|\s*\n|\s+[^=\s])/g) ?? [];
}

function impureIn(bare: string): string[] {
  const impure =
    /\b(?:Date|Math\.random|random\w*|process|performance|globalThis|console|fetch|set(?:Timeout|Interval|Immediate)|queueMicrotask|await|async)\b(?!\s*:)/g;
  return bare.match(impure) ?? [];
}

test("the source is found and read", () => {
  expect(files.length).toBeGreaterThan(100);
  const model = files.find(({ path }) => path === "decide/decide.ts");
  expect(model?.imports).toEqual(["state/model.ts"]);
  expect(model?.code).not.toContain("PURE");
});

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

describe("who may know whom", () => {
  const words = ["state/model.ts", "state/four-eyes.ts", "state/percent.ts"];
  const statePorts = [
    ...words,
    "state/store.ts",
    "state/snapshot.ts",
    "state/by-hand.ts",
    "state/clock.ts",
    "state/log.ts",
    "state/completion.ts",
    "state/origin.ts",
    "state/local.ts",
    "state/local-changes.ts",
  ];
  const rooms: Readonly<Record<string, readonly string[]>> = {
    "config/": ["config/", "state/redis/place.ts"],
    "decide/": ["decide/", "state/model.ts", "config/path.ts", "config/source.ts"],
    "state/": ["state/"],
    "ownership/": [
      "ownership/",
      "decide/pin.ts",
      "decide/stored-pin.ts",
      ...statePorts,
      "state/redis/client.ts",
      "state/replace-file.ts",
      "state/file-lock.ts",
      "telemetry/meter.ts",
      "telemetry/log.ts",
    ],
    "telemetry/": ["telemetry/", "decide/decide.ts", "admin/schemas.ts", "admin/open-view.ts", ...statePorts],
    "proxy/": [
      "proxy/",
      "decide/",
      "ownership/port.ts",
      "telemetry/",
      "config/schema.ts",
      "config/source.ts",
      "config/path.ts",
      ...statePorts,
    ],
    "admin/": [
      "admin/",
      "decide/decide.ts",
      "decide/sentence.ts",
      "telemetry/",
      "config/schema.ts",
      "state/applied.ts",
      "audit/port.ts",
      ...statePorts,
    ],
    "cli/": [
      "cli/",
      "admin/schemas.ts",
      "admin/history-view.ts",
      "admin/identity.ts",
      "admin/open-view.ts",
      "admin/explanation.ts",
      "admin/write-answer.ts",
      "admin/proposal-view.ts",
      "decide/decide.ts",
      "config/duration.ts",
      "config/cli-file.ts",
      ...words,
    ],
    "audit/": ["audit/", "state/file-lock.ts", "state/coalesce.ts", ...statePorts],
    "demo/": ["demo/", "config/schema.ts", ...words],
    "workers/": [
      "workers/",
      "ownership/store.ts",
      "ownership/open/port.ts",
      "state/stored-state.ts",
      "telemetry/carried.ts",
      "telemetry/count-keys.ts",
      "telemetry/log.ts",
      "telemetry/traffic.ts",
      ...statePorts,
    ],
    // The parts that compose.ts and worker.ts are put together from.
    "instance/": [
      "instance/",
      "admin/",
      "audit/",
      "config/",
      "ownership/",
      "proxy/",
      "state/",
      "telemetry/",
      "workers/",
    ],
  };

  test("every room has its rule", () => {
    const found = new Set(
      files.filter(({ path }) => path.includes("/")).map(({ path }) => path.replace(/\/.*/, "/")),
    );
    expect([...found].filter((room) => !Object.hasOwn(rooms, room))).toEqual([]);
  });

  test.each(Object.entries(rooms))("%s knows only %j", (room, allowed) => {
    const wrong = files
      .filter(({ path }) => path.startsWith(room))
      .flatMap(({ path, imports }) => {
        const own = imports.filter((target) => target.endsWith(".ts") && !isInside(target, allowed));
        return own.map((target) => `${path} imports ${target}`);
      });
    expect(wrong).toEqual([]);
  });

  test("the parts in instance/ are known to those alone who compose", () => {
    const importers = files.filter(({ imports }) => imports.some((target) => target.startsWith("instance/")));
    const others = importers.filter(({ path }) => !path.startsWith("instance/"));
    expect(others.map(({ path }) => path).sort()).toEqual(["compose.ts", "main.ts", "worker.ts"]);
  });

  test.each(["compose.ts", "main.ts"])("%s is known to main.ts alone", (target) => {
    const importers = files.filter(({ imports }) => imports.includes(target)).map(({ path }) => path);
    expect(importers.filter((path) => path !== "main.ts")).toEqual([]);
  });

  test.each([
    ["ioredis", ["state/redis/"]],
    ["undici", ["proxy/forward/", "demo/"]],
    ["http-proxy", ["proxy/forward/"]],
    ["yaml", ["config/"]],
    ["pino", ["telemetry/"]],
    ["prom-client", ["telemetry/", "ownership/metrics.ts"]],
    ["commander", ["cli/"]],
    ["fastify", ["admin/"]],
    ["jose", ["admin/oidc.ts"]],
  ])("%s is used in %j alone", (name, places) => {
    const users = files.filter(({ imports }) => imports.includes(name)).map(({ path }) => path);
    expect(users.filter((path) => !isInside(path, places))).toEqual([]);
  });
});

describe("what is pure", () => {
  const pure = (path: string) => {
    const named = [
      "state/model.ts",
      "state/origin.ts",
      "state/store.ts",
      "state/four-eyes.ts",
      "state/completion.ts",
      "state/local.ts",
      "state/by-hand.ts",
      "state/percent.ts",
      "config/path.ts",
      "config/source.ts",
    ];
    return path.startsWith("decide/") || named.includes(path);
  };
  const pureFiles = files.filter(({ path }) => pure(path));

  // Packages whose answers depend on nothing but the arguments; of node:crypto digests and comparison in constant time.
  const purePackages = ["jsonc-parser", "node:crypto"];

  test.each(pureFiles.map((file) => [file.path, file] as const))(
    "%s: imports what is pure",
    (_, { imports }) => {
      expect(imports.filter((target) => !pure(target) && !purePackages.includes(target))).toEqual([]);
    },
  );

  test.each(pureFiles.map((file) => [file.path, file] as const))(
    "%s: no clock, chance or surroundings",
    (_, file) => {
      expect(impureIn(file.bare)).toEqual([]);
    },
  );
});

describe("what stands nowhere in src", () => {
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
    expect(each(assertionsIn)).toEqual([]);
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

  test("a file of more than 300 lines", () => {
    const long = files.filter(({ text }) => text.trimEnd().split("\n").length > 300);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  test("a module of Node without node:, or an import without its ending", () => {
    const wrong = files.flatMap(({ path, imports }) => {
      const bad = imports.filter((target) =>
        /^(?:fs|http|https|net|path|crypto|os|stream|events|url|util|tls)(?:\/|$)/.test(target),
      );
      return bad.map((target) => `${path}: ${target}`);
    });
    expect(wrong).toEqual([]);
  });
});

test("package-lock.json names no registry's host", () => {
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  expect(lock).not.toMatch(/"resolved"|\bregistry\./);
});
