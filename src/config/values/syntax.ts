/** What a syntax error of YAML is called here. The parser's own sentences quote the text, which may be a secret. */
import type { ErrorCode } from "yaml";

const messages = {
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

export function syntaxMessage(code: ErrorCode): string {
  return `not valid YAML: ${messages[code]}`;
}
