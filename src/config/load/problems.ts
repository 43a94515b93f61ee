/** What is wrong with a configuration, where it stands in the file, and how that is said. */

export interface PlacedProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  /** `cutovers.checkout.routes[1].path`; empty when it is about the file as a whole. */
  readonly path: string;
  /** What was expected; and what was found, unless it could be a secret. */
  readonly message: string;
}

export type Path = readonly (string | number)[];

/** A problem that is not yet placed in the file. */
export interface Finding {
  readonly path: Path;
  /** What it points at; the key also when the value is missing. */
  readonly on: "key" | "value";
  readonly message: string;
  /** What is said of the value that stands there; `kind` where a secret may have slipped. */
  readonly found: "value" | "kind" | "unsaid";
}

/** `config/cutover.yaml:12:9 cutovers.checkout.routes[1].path: expected …` */
export function formatProblem(problem: PlacedProblem): string {
  const { file, line, column, path, message } = problem;
  return `${file}:${line}:${column} ${path === "" ? "" : `${path}: `}${message}`;
}

/** A key that does not look like one may be a secret that slipped (`{secret:hunter2}`): it is shown as `?`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (text === "hosts" && /^[A-Za-z0-9_.*:[\]-]{1,260}$/.test(part)) text += `["${part}"]`;
    else text += `${text === "" ? "" : "."}${/^[A-Za-z0-9_ -]{1,64}$/.test(part) ? part : "?"}`;
  }
  return text;
}

/** Tells one path from every other; for sets and maps. */
export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

/** By position, each once. */
export function inOrder(problems: readonly PlacedProblem[]): PlacedProblem[] {
  const each = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return [...each.values()].sort((one, other) => one.line - other.line || one.column - other.column);
}

export function wrong(path: Path, message: string): Finding {
  return { path, on: "value", found: "value", message };
}

/** The second and later of equal texts, each naming the first by its path. */
export function repeated(
  given: readonly { readonly path: Path; readonly value: string }[],
  expected: string,
): Finding[] {
  const first = new Map<string, Path>();
  return given.flatMap(({ path, value }) => {
    const earlier = first.get(value);
    if (earlier === undefined) first.set(value, path);
    return earlier === undefined ? [] : [wrong(path, `${expected}: the same as ${formatPath(earlier)}`)];
  });
}

/** What is allowed but probably not meant, about a key that is there. */
export function unwise(path: Path, message: string): Finding {
  return { path, on: "key", found: "unsaid", message };
}
