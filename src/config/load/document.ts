/**
 * A YAML text as plain values, with the position of every key and value. Environment references are filled in
 * on the way (env.ts). Aliases, merge keys and own tags are refused: the file says everything where it stands,
 * and nothing in it can grow. Whatever the bytes, nothing is thrown.
 */
import {
  type Document,
  type ErrorCode,
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
import { type Environment, fillIn, withPlainBraces } from "./env.ts";
import { formatPath, type Path, type PlacedProblem, pathKey } from "./problems.ts";

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
  readonly problems: readonly PlacedProblem[];
  /** Paths (`pathKey`) about which a problem has already been said, their values being stand-ins. */
  readonly settled: ReadonlySet<string>;
}

const maxDepth = 32;

/**
 * @param templateEnv for the values of fields, in which braces mean something; without it, `env` with its braces as they are
 * @returns the document; or the problems alone when the text is not YAML enough to say more
 */
export function readDocument(
  text: string,
  file: string,
  env: Environment,
  templateEnv: () => Environment = () => withPlainBraces(env),
): ReadDocument | readonly PlacedProblem[] {
  const lines = new LineCounter();
  const document = parse(text, lines);
  const start: Position = { line: 1, column: 1 };
  if (document === undefined)
    return [{ file, ...start, path: "", message: syntaxMessage("RESOURCE_EXHAUSTION") }];
  const faults = withoutConsequences([...document.errors, ...document.warnings]);
  if (faults.length > 0) {
    return faults.map((fault) => {
      const message = quotesMessage(text.slice(fault.pos[0])) ?? syntaxMessage(fault.code);
      return { file, ...positionOf(lines, fault.pos[0]), path: "", message };
    });
  }
  if (document.contents === null || isEmpty(document.contents)) {
    return [{ file, ...start, path: "", message: "expected a configuration; the file is empty" }];
  }
  const reading: Reading = { file, lines, env, templateEnv, problems: [], settled: new Set() };
  const { value, place } = walk(reading, document.contents, [], undefined);
  return { value, root: place, problems: reading.problems, settled: reading.settled };
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

/** `store: memory:`, of which YAML makes a mapping in a mapping. @param rest from where the fault stands */
function quotesMessage(rest: string): string | undefined {
  const isMemory = /^memory:[ \t]*(?:#.*)?(?:[\r\n]|$)/.test(rest);
  return isMemory ? 'expected quotes around a value that ends in a colon: "memory:"' : undefined;
}

function positionOf(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null && node.source === "";
}

/** `upstreams.NAME.rewrite.request.set.FIELD` and its like. */
export function isTemplateAt([root, , key, , change]: Path): boolean {
  return root === "upstreams" && key === "rewrite" && (change === "set" || change === "add");
}

interface Walked {
  readonly value: unknown;
  readonly place: Place;
}

interface Reading {
  readonly file: string;
  readonly lines: LineCounter;
  readonly env: Environment;
  readonly templateEnv: () => Environment;
  readonly problems: PlacedProblem[];
  readonly settled: Set<string>;
}

function say(reading: Reading, position: Position, path: Path, message: string): void {
  reading.problems.push({ file: reading.file, ...position, path: formatPath(path), message });
  reading.settled.add(pathKey(path));
}

/** @param key where the key stands that the value is under */
function walk(reading: Reading, node: ParsedNode | null, path: Path, key: Position | undefined): Walked {
  // A value left out (`cutovers:`) has a place of its own that nobody would look at.
  const at = node === null || isEmpty(node) ? key : positionOf(reading.lines, node.range[0]);
  const position = at ?? { line: 1, column: 1 };
  const place: Place = { value: position, key, filled: false, children: new Map() };
  const refused = (message: string): Walked => {
    say(reading, position, path, message);
    return { value: undefined, place };
  };
  if (node === null) return { value: null, place };
  if (path.length > maxDepth) return refused(`expected at most ${maxDepth} levels`);
  if (isAlias(node)) return refused("expected the value written out: aliases are not accepted");
  if (isMap<ParsedNode, ParsedNode | null>(node)) return walkMap(reading, node, path, place);
  if (isSeq<ParsedNode>(node)) return walkList(reading, node, path, place);
  if (typeof node.value !== "string") return { value: node.value, place };
  const filled = fillIn(node.value, isTemplateAt(path) ? reading.templateEnv() : reading.env);
  if (filled.ok) return { value: filled.text, place: { ...place, filled: filled.filled } };
  say(reading, position, path, filled.message);
  return { value: "", place: { ...place, filled: true } };
}

function walkMap(
  reading: Reading,
  node: YAMLMap<ParsedNode, ParsedNode | null>,
  path: Path,
  place: Place,
): Walked {
  const value: Record<string, unknown> = {};
  const children = new Map<string, Place>();
  for (const pair of node.items) {
    const at = positionOf(reading.lines, pair.key.range[0]);
    const key = isScalar(pair.key) && typeof pair.key.value === "string" ? pair.key.value : undefined;
    if (key === undefined || key === "<<" || key === "__proto__") {
      const message = "expected a key of the configuration: merge keys and the like are not accepted";
      say(reading, at, [...path, key ?? "?"], message);
      continue;
    }
    if (children.has(key)) {
      say(reading, at, [...path, key], "expected each key once: it stands twice in this mapping");
      continue;
    }
    const child = walk(reading, pair.value, [...path, key], at);
    value[key] = child.value;
    children.set(key, child.place);
  }
  return { value, place: { ...place, children } };
}

function walkList(reading: Reading, node: YAMLSeq<ParsedNode>, path: Path, place: Place): Walked {
  const children = new Map<number, Place>();
  const value = node.items.map((item, index) => {
    const child = walk(reading, item, [...path, index], undefined);
    children.set(index, child.place);
    return child.value;
  });
  return { value, place: { ...place, children } };
}

/** What a syntax error of YAML is called here. The parser's own sentences quote the text, which may be a secret. */
const syntaxMessages = {
  ALIAS_PROPS: "an alias can have neither anchor nor tag",
  BAD_ALIAS: "expected the value written out: aliases are not accepted",
  BAD_COLLECTION_TYPE: "expected a mapping or a list without a tag of another kind",
  BAD_DIRECTIVE: "expected no such directive",
  BAD_DQ_ESCAPE: "expected a valid escape sequence in double quotes",
  BAD_INDENT: "expected other indentation",
  BAD_PROP_ORDER: "expected anchor and tag before the value",
  BAD_SCALAR_START: "expected quotes around a value that starts with this character",
  BLOCK_AS_IMPLICIT_KEY: "expected a key on one line: is a colon missing or one too many?",
  BLOCK_IN_FLOW: "expected only flow style inside { } and [ ]",
  DUPLICATE_KEY: "expected each key once",
  IMPOSSIBLE: "expected YAML",
  KEY_OVER_1024_CHARS: "expected a key of at most 1024 characters",
  MISSING_CHAR: "expected a character that is missing here: a colon, comma, space, quote or closing bracket",
  MULTILINE_IMPLICIT_KEY: "expected a key on one line: is a colon missing?",
  MULTIPLE_ANCHORS: "expected at most one anchor",
  MULTIPLE_DOCS: "expected one document in the file",
  MULTIPLE_TAGS: "expected at most one tag",
  NON_STRING_KEY: "expected a key that is text",
  RESOURCE_EXHAUSTION: "expected less nesting",
  TAB_AS_INDENT: "expected spaces, not a tab, as indentation",
  TAG_RESOLVE_FAILED: "expected no such tag",
  UNEXPECTED_TOKEN:
    "expected something else here: are quotes missing around a value with special characters?",
} as const satisfies Record<ErrorCode, string>;

/**
 * Once the parser has lost its way every piece of the rest is unexpected to it: one missing pair of quotes was 190 problems.
 */
function withoutConsequences(faults: readonly YAMLError[]): readonly YAMLError[] {
  const lost = faults.findIndex(({ code }) => code === "UNEXPECTED_TOKEN");
  return faults.filter(({ code }, index) => index <= lost || code !== "UNEXPECTED_TOKEN");
}

function syntaxMessage(code: ErrorCode): string {
  return `not valid YAML: ${syntaxMessages[code]}`;
}
