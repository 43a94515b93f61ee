/**
 * Reads GraphQL documents by the parser of the `graphql` package, which is loaded only where a configuration asks for it.
 * What strangers send is bounded before it is parsed: so many tokens, nested so deeply.
 */
import type {
  ArgumentNode,
  DocumentNode,
  FragmentDefinitionNode,
  ObjectFieldNode,
  OperationDefinitionNode,
  SelectionSetNode,
  ValueNode,
} from "graphql";
import type {
  GivenValue,
  GraphqlDocument,
  GraphqlOperation,
  TopField,
} from "../../../decide/when/operations.ts";

const mostTokens = 4000;
const mostNested = 100;

/** @returns the document; `undefined` for what is none, or is past a bound */
export type ParseDocument = (text: string) => GraphqlDocument | undefined;

export async function loadParser(): Promise<ParseDocument> {
  // Whole, and not by its files: those are CommonJS, which a bundle that is loaded as it is needed gives no names.
  const { parse, Lexer, Source, TokenKind } = await import("graphql");
  const opening: ReadonlySet<string> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
  const closing: ReadonlySet<string> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);
  function isWithinBounds(source: InstanceType<typeof Source>): boolean {
    const lexer = new Lexer(source);
    let nested = 0;
    for (let tokens = 0; tokens < mostTokens; tokens++) {
      const { kind } = lexer.advance();
      if (kind === TokenKind.EOF) return true;
      if (opening.has(kind)) nested += 1;
      else if (closing.has(kind)) nested -= 1;
      if (nested > mostNested) return false;
    }
    return false;
  }
  return (text) => {
    try {
      const source = new Source(text);
      return isWithinBounds(source) ? documentOf(parse(source, { noLocation: true })) : undefined;
    } catch {
      return undefined;
    }
  };
}

function documentOf({ definitions }: DocumentNode): GraphqlDocument | undefined {
  const fragments = new Map<string, FragmentDefinitionNode>();
  const operations: OperationDefinitionNode[] = [];
  for (const definition of definitions) {
    if (definition.kind === "FragmentDefinition") fragments.set(definition.name.value, definition);
    else if (definition.kind === "OperationDefinition") operations.push(definition);
    // A schema is nothing that a client asks for.
    else return undefined;
  }
  return { operations: operations.map((operation) => operationOf(operation, fragments)) };
}

function operationOf(
  { operation: type, name, selectionSet, variableDefinitions = [] }: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): GraphqlOperation {
  const fields: TopField[] = [];
  collect(selectionSet, fragments, new Set(), fields);
  const defaults = new Map<string, GivenValue>();
  for (const { variable, defaultValue } of variableDefinitions) {
    const given = defaultValue && givenOf(defaultValue);
    if (given !== undefined) defaults.set(variable.name.value, given);
  }
  return { type, name: name?.value, fields, defaults };
}

/** @param seen names of fragments, each of which is looked into once */
function collect(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  seen: Set<string>,
  fields: TopField[],
): void {
  for (const selection of selections) {
    if (selection.kind === "Field") {
      fields.push({ name: selection.name.value, given: membersOf(selection.arguments ?? []) });
    } else if (selection.kind === "InlineFragment") {
      collect(selection.selectionSet, fragments, seen, fields);
    } else if (!seen.has(selection.name.value)) {
      seen.add(selection.name.value);
      const fragment = fragments.get(selection.name.value);
      if (fragment !== undefined) collect(fragment.selectionSet, fragments, seen, fields);
    }
  }
}

const nothingGiven: TopField["given"] = new Map();

function membersOf(nodes: readonly (ArgumentNode | ObjectFieldNode)[]): ReadonlyMap<string, GivenValue> {
  if (nodes.length === 0) return nothingGiven;
  const members = new Map<string, GivenValue>();
  for (const { name, value } of nodes) {
    const given = givenOf(value);
    if (given !== undefined) members.set(name.value, given);
  }
  return members;
}

function givenOf(node: ValueNode): GivenValue | undefined {
  switch (node.kind) {
    case "StringValue":
    case "IntValue":
    case "FloatValue":
    case "EnumValue":
      return { kind: "text", text: node.value };
    case "Variable":
      return { kind: "variable", name: node.name.value };
    case "ObjectValue":
      return { kind: "object", members: membersOf(node.fields) };
    default:
      return undefined;
  }
}
