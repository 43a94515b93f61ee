/**
 * Where a value of a request is found: `header:NAME`, `cookie:NAME`, `query:NAME`, `param:NAME` (a path
 * parameter of the route), `form:NAME` (a field of an urlencoded or multipart body), `json:/POINTER` (RFC 6901, into the
 * body). Any of them may end in `#REGEX`, whose
 * first group is then the value.
 */
const sourceKinds = ["header", "cookie", "query", "param", "json", "form"] as const;
type SourceKind = (typeof sourceKinds)[number];

export interface Source {
  readonly kind: SourceKind;
  /** Lower case for a header; the pointer, with its leading slash, for json. */
  readonly name: string;
  readonly pattern?: RegExp;
  /** As written in the configuration. */
  readonly text: string;
}

const form = /^(header|cookie|query|param|json|form):([^#]+)(?:#(.+))?$/s;
const names: Readonly<Record<SourceKind, RegExp>> = {
  header: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
  cookie: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
  query: /^[^&=\s]+$/,
  form: /^[^&=\s]+$/,
  param: /^[A-Za-z_][A-Za-z0-9_]*$/,
  json: /^(?:\/(?:[^~]|~[01])*)+$/s,
};

/** @returns the source, or the sentence that says what was expected */
export function parseSource(text: string): Source | string {
  const [, kindText, name, regex] = form.exec(text) ?? [];
  const kind = sourceKinds.find((known) => known === kindText);
  if (kind === undefined || name === undefined) {
    return "expected header:NAME, cookie:NAME, query:NAME, param:NAME, form:NAME or json:/POINTER, optionally followed by #REGEX";
  }
  if (!names[kind].test(name)) {
    return kind === "json"
      ? "expected a JSON pointer (RFC 6901) such as json:/order/id"
      : `expected a ${kind} name after ${kind}:`;
  }
  const found = { kind, name: kind === "header" ? name.toLowerCase() : name, text };
  if (regex === undefined) return found;
  try {
    const pattern = new RegExp(regex, "u");
    // An alternative that always matches tells how many groups there are.
    const groups = new RegExp(`${regex}|`, "u").exec("")?.length ?? 1;
    if (groups < 2) return "expected a group in the expression after #: its first group is the value";
    return { ...found, pattern };
  } catch {
    return "expected a regular expression after #";
  }
}
