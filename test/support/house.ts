/**
 * The rules of the house, as functions over source files: each answers with what breaks it, one sentence a breach, and
 * knows nothing of where the files come from, so that a test can plant a breach of each.
 */
import { dirname, posix } from "node:path";

export interface SourceFile {
  /** From src, with slashes: `state/rules/model.ts`. */
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly code: string;
  /** Without comments, and with the text of strings and expressions taken out. */
  readonly bare: string;
  readonly imports: readonly Import[];
  readonly exports: readonly string[];
}

export interface Import {
  /** A file of src, from src; or a package by its name. */
  readonly target: string;
  /** What is taken of it; `undefined` where that is everything. */
  readonly names: readonly string[] | undefined;
}

/** A room and what it may import: folders with a slash at their end, or a room's port.ts. */
export interface Room {
  readonly room: string;
  readonly knows: readonly string[];
}

export function sourceFile(path: string, text: string): SourceFile {
  const { code, bare } = tokensOf(text);
  return { path, text, code, bare, imports: importsOf(path, code), exports: exportsOf(code) };
}

/** Comments, strings and regular expressions, as far as this code's style needs them told apart. */
export function tokensOf(text: string): { code: string; bare: string } {
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

function importsOf(path: string, code: string): Import[] {
  const target = (specifier: string) =>
    specifier.startsWith(".") ? posix.join(dirname(path), specifier) : specifier;
  const listed = [
    ...code.matchAll(/\b(?:import|export)\s+(?:type\s+)?(?:\w+\s*,\s*)?\{([^}]*)\}\s*from\s*"([^"]+)"/g),
    ...code.matchAll(/\{([^{}]*)\}\s*=\s*await\s+import\(\s*"([^"]+)"/g),
  ].map(([, names = "", specifier = ""]) => ({ target: target(specifier), names: namesIn(names) }));
  const whole = [...code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g)]
    .map(([, specifier = ""]) => target(specifier))
    .filter((one) => !listed.some((other) => other.target === one))
    .map((one) => ({ target: one, names: undefined }));
  return [...listed, ...whole];
}

function namesIn(list: string): string[] {
  const names = list.split(",").map((part) => /^\s*(?:type\s+)?(\w+)/.exec(part)?.[1] ?? "");
  return names.filter((name) => name !== "");
}

function exportsOf(code: string): string[] {
  const declared =
    /^export\s+(?:declare\s+)?(?:async\s+)?(?:const|let|function\*?|class|interface|type|enum)\s+(\w+)/gm;
  return [...code.matchAll(declared)].map(([, name = ""]) => name);
}

export function isInside(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || (place.endsWith("/") && path.startsWith(place)));
}

/** The room of the table that a file is in: the one whose folder is the longest. */
export function roomOf(rooms: readonly Room[], path: string): Room | undefined {
  const around = rooms.filter(({ room }) => path.startsWith(room));
  return around.sort((a, b) => b.room.length - a.room.length)[0];
}

/** A room is entered by its folder or its port, and a table of rooms has no way back up. */
export function wrongEntries(rooms: readonly Room[]): string[] {
  return rooms.flatMap(({ room, knows }, at) =>
    knows.flatMap((entry) => {
      if (!entry.endsWith("/") && !entry.endsWith("/port.ts"))
        return [`${room} knows the single file ${entry}`];
      const known = roomOf(rooms, entry);
      const isAbove = known !== undefined && rooms.indexOf(known) > at;
      return isAbove ? [`${room} knows ${known.room}, which stands above it`] : [];
    }),
  );
}

export function strangersIn(files: readonly SourceFile[], rooms: readonly Room[]): string[] {
  return files.flatMap(({ path, imports }) => {
    const own = roomOf(rooms, path);
    if (own === undefined) return path.includes("/") ? [`${path} is in no room of the table`] : [];
    const known = [own.room, ...own.knows];
    return imports
      .filter(({ target }) => /\.tsx?$/.test(target) && !isInside(target, known))
      .map(({ target }) => `${path} imports ${target}`);
  });
}

/** @param paths of every file of src, those that are no TypeScript too */
export function crowdedRooms(paths: readonly string[], most: number): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > most)
    .map(([room, count]) => `${room}/ holds ${count} files`);
}

/** Circles of imports, those of types too; each as its files. */
export function circlesIn(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const way: string[] = [];
  const found: string[] = [];
  const visit = (path: string): void => {
    const at = way.indexOf(path);
    if (at >= 0) {
      found.push([...way.slice(at), path].join(" → "));
      return;
    }
    const file = byPath.get(path);
    if (file === undefined || done.has(path)) return;
    way.push(path);
    for (const { target } of file.imports) visit(target);
    way.pop();
    done.add(path);
  };
  for (const { path } of files) visit(path);
  return found;
}

export function namesInTwoFiles(files: readonly SourceFile[]): string[] {
  const homes = new Map<string, string[]>();
  for (const { path, exports } of files) {
    for (const name of new Set(exports)) homes.set(name, [...(homes.get(name) ?? []), path]);
  }
  return [...homes]
    .filter(([, paths]) => paths.length > 1)
    .map(([name, paths]) => `${name}: ${paths.join(", ")}`);
}

/** @param users of src and of the tests, their targets from src */
export function exportsWithoutUser(files: readonly SourceFile[], users: readonly SourceFile[]): string[] {
  const used = new Map<string, Set<string> | "all">();
  for (const { imports } of users) {
    for (const { target, names } of imports) {
      const before = used.get(target) ?? new Set<string>();
      used.set(target, names === undefined || before === "all" ? "all" : new Set([...before, ...names]));
    }
  }
  return files.flatMap(({ path, exports }) => {
    const names = used.get(path) ?? new Set<string>();
    if (names === "all") return [];
    return exports.filter((name) => !names.has(name)).map((name) => `${path} exports ${name}`);
  });
}

/**
 * Files that only one other imports, and too short to be a subject that nothing tests.
 *
 * @param entries files that are run, or loaded by their path
 * @param tested files that a unit test imports by itself
 */
export function filesOfOneImporter(
  files: readonly SourceFile[],
  entries: readonly string[],
  tested: ReadonlySet<string>,
  shortest: number,
): string[] {
  const importers = new Map<string, Set<string>>();
  for (const { path, imports } of files) {
    for (const { target } of imports) importers.set(target, (importers.get(target) ?? new Set()).add(path));
  }
  return files.flatMap(({ path, text }) => {
    if (entries.includes(path)) return [];
    const by = [...(importers.get(path) ?? [])];
    if (by.length === 0) return [`${path} is imported by nobody`];
    const lines = text.trimEnd().split("\n").length;
    if (by.length > 1 || lines >= shortest || tested.has(path)) return [];
    return [`${path} (${lines} lines) is known to ${by[0]} alone`];
  });
}

/** Functions by name with more lines than `most`. The formatter sees to it that a function ends at its own indent. */
export function longFunctions(files: readonly SourceFile[], most: number): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    return lines.flatMap((line, first) => {
      const named =
        /^(\s*)(?:export )?(?:async )?function\*? (\w+)/.exec(line) ??
        /^(\s*)(?:export )?const (\w+) = (?:async )?\(.*(?:=> \{|\()$/.exec(line);
      if (named === null) return [];
      const [, indent = "", name = ""] = named;
      const last = lines.findIndex(
        (other, at) => at > first && /^\};?$/.test(other.slice(indent.length)) && other.startsWith(indent),
      );
      const length = last - first + 1;
      return last >= 0 && length > most ? [`${path}: ${name} has ${length} lines`] : [];
    });
  });
}

export function longFiles(files: readonly SourceFile[], most: number): string[] {
  return files
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > most)
    .map(({ path, lines }) => `${path} has ${lines} lines`);
}

/** A word of the contract, in a room where it means something else. */
export function misusedWords(
  files: readonly SourceFile[],
  words: readonly { readonly word: RegExp; readonly rooms: readonly string[] }[],
): string[] {
  return files.flatMap(({ path, bare }) =>
    words
      .filter(({ rooms }) => isInside(path, rooms))
      .flatMap(({ word }) => [...new Set(bare.match(word) ?? [])].map((found) => `${path}: ${found}`)),
  );
}

export function assertionsIn(bare: string): string[] {
  const code = withoutLists(bare);
  return [
    ...assertionsInMarkup(bare),
    ...(code.match(/(?:[=(,]|return|=>)\s*<(?!const\b)[A-Za-z][^<>()]*>\s*[\w{[]/g) ?? []),
  ];
}

/** Of a file with elements in it, where an angle bracket begins no assertion. */
export function assertionsInMarkup(bare: string): string[] {
  return withoutLists(bare).match(/[^\s,{(]\s+as\s+(?!const\b)[\w{([]\S*/g) ?? [];
}

function withoutLists(bare: string): string {
  return bare.replace(/\b(?:import|export)\s+(?:type\s+)?(?:\w+\s*,\s*)?(?:\{[^}]*\}|\*\s+as\s+\w+)/g, "");
}

export function nonNullIn(bare: string): string[] {
  return bare.match(/[\w)\]]!(?:[.;,)\]}[(]|\s*\n|\s+[^=\s])/g) ?? [];
}

export function impureIn(bare: string): string[] {
  const impure =
    /\b(?:Date|Math\.random|random\w*|process|performance|globalThis|console|fetch|set(?:Timeout|Interval|Immediate)|queueMicrotask|await|async)\b(?!\s*:)/g;
  return bare.match(impure) ?? [];
}
