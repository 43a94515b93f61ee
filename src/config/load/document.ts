/**
 * A YAML text as plain values, with the position of every key and value. Environment references are filled in
 * on the way (env.ts). Aliases, merge keys and own tags are refused: the file says everything where it stands,
 * and nothing in it can grow. Whatever the bytes, nothing is thrown.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type YAMLError,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { syntaxMessage } from "../values/syntax.ts";
import { type Environment, fillIn } from "./env.ts";
import { formatPath, type Path, type Problem, pathKey } from "./problems.ts";

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a value stands, and what is under it. */
export interface Place {
  readonly value: Position;
  /** Absent for the root and for the items of a list. */
  readonly key: Position | undefined;
  /** Whether the value came, whole or in part, from the environment: it is shown to nobody. */
  readonly filled: boolean;
  readonly children: ReadonlyMap<string | number, Place>;
}

export interface ReadDocument {
  readonly value: unknown;
  readonly root: Place;
  readonly problems: readonly Problem[];
  /** Paths (`pathKey`) about which a problem has already been said, their values being stand-ins. */
  readonly settled: ReadonlySet<string>;
}

const maxDepth = 32;

/** @returns the document; or the problems alone when the text is not YAML enough to say more */
export function readDocument(
  text: string,
  file: string,
  env: Environment,
): ReadDocument | readonly Problem[] {
  const lines = new LineCounter();
  const document = parse(text, lines);
  const start: Position = { line: 1, column: 1 };
  if (document === undefined)
    return [{ file, ...start, path: "", message: syntaxMessage("RESOURCE_EXHAUSTION") }];
  const faults: readonly YAMLError[] = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return faults.map((fault) => {
      return { file, ...positionOf(lines, fault.pos[0]), path: "", message: syntaxMessage(fault.code) };
    });
  }
  if (document.contents === null || isEmpty(document.contents)) {
    return [{ file, ...start, path: "", message: "expected a configuration; the file is empty" }];
  }
  const walker = createWalker(file, lines, env);
  const { value, place } = walker.walk(document.contents, [], undefined);
  return { value, root: place, problems: walker.problems, settled: walker.settled };
}

function parse(text: string, lineCounter: LineCounter): Document.Parsed<ParsedNode, true> | undefined {
  try {
    return parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      stringKeys: true,
      // Done here instead, with the path in the message and without comparing each key to each.
      uniqueKeys: false,
      resolveKnownTags: false,
      logLevel: "error",
    });
  } catch {
    // A text nested deeper than the parser's stack.
    return undefined;
  }
}

function positionOf(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null && node.source === "";
}

interface Walked {
  readonly value: unknown;
  readonly place: Place;
}

function createWalker(file: string, lines: LineCounter, env: Environment) {
  const problems: Problem[] = [];
  const settled = new Set<string>();

  function say(position: Position, path: Path, message: string): void {
    problems.push({ file, ...position, path: formatPath(path), message });
    settled.add(pathKey(path));
  }

  function walk(node: ParsedNode | null, path: Path, key: Position | undefined): Walked {
    // A value left out (`cutovers:`) has a place of its own that nobody would look at.
    const value = node === null || isEmpty(node) ? key : positionOf(lines, node.range[0]);
    const place = (filled = false, children: Place["children"] = new Map()): Place => {
      return { value: value ?? { line: 1, column: 1 }, key, filled, children };
    };
    if (node === null) return { value: null, place: place() };
    if (path.length > maxDepth) {
      say(place().value, path, `expected at most ${maxDepth} levels`);
      return { value: undefined, place: place() };
    }
    if (isAlias(node)) {
      say(place().value, path, "expected the value written out: aliases are not accepted");
      return { value: undefined, place: place() };
    }
    if (isMap<ParsedNode, ParsedNode | null>(node)) return walkMap(node, path, place);
    if (isSeq<ParsedNode>(node)) return walkList(node, path, place);
    if (typeof node.value !== "string") return { value: node.value, place: place() };
    const filled = fillIn(node.value, env);
    if (filled.ok) return { value: filled.text, place: place(filled.filled) };
    say(place().value, path, filled.message);
    return { value: "", place: place(true) };
  }

  type MakePlace = (filled: boolean, children: Place["children"]) => Place;

  function walkMap(node: YAMLMap<ParsedNode, ParsedNode | null>, path: Path, place: MakePlace): Walked {
    const value: Record<string, unknown> = {};
    const children = new Map<string, Place>();
    for (const pair of node.items) {
      const at = positionOf(lines, pair.key.range[0]);
      const key = isScalar(pair.key) && typeof pair.key.value === "string" ? pair.key.value : undefined;
      if (key === undefined || key === "<<" || key === "__proto__") {
        say(
          at,
          [...path, key ?? "?"],
          "expected a key of the configuration: merge keys and the like are not accepted",
        );
        continue;
      }
      if (children.has(key)) {
        say(at, [...path, key], "expected each key once: it stands twice in this mapping");
        continue;
      }
      const child = walk(pair.value, [...path, key], at);
      value[key] = child.value;
      children.set(key, child.place);
    }
    return { value, place: place(false, children) };
  }

  function walkList(node: YAMLSeq<ParsedNode>, path: Path, place: MakePlace): Walked {
    const children = new Map<number, Place>();
    const value = node.items.map((item, index) => {
      const child = walk(item, [...path, index], undefined);
      children.set(index, child.place);
      return child.value;
    });
    return { value, place: place(false, children) };
  }

  return { walk, problems, settled };
}
