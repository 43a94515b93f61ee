/**
 * `${VAR}` and `${VAR:-default}` in a text of the configuration. Filled in after YAML was parsed, so that no
 * value of the environment can become a key, a list or a comment; what was filled in is not filled in again.
 * As in a shell, `:-` stands in for a variable that is unset or empty. `$${` is a literal `${`; any other `$`
 * stands for itself.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

type Filled =
  | {
      readonly ok: true;
      readonly text: string;
      /** Whether a reference stood in it. */
      readonly filled: boolean;
    }
  | { readonly ok: false; readonly message: string };

const reference = /\$\$\{|\$\{([^}]*)\}|\$\{/g;
const inner = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** The message names variables and says no value. */
export function fillIn(text: string, env: Environment): Filled {
  if (!text.includes("${")) return { ok: true, text, filled: false };
  const unset = new Set<string>();
  let malformed = false;
  let filled = false;
  const result = text.replace(reference, (whole: string, content: string | undefined) => {
    if (whole === "$${") return "${";
    const [, name, fallback] = inner.exec(content ?? "") ?? [];
    if (name === undefined) {
      malformed = true;
      return "";
    }
    filled = true;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value === undefined) unset.add(name);
    return value ?? "";
  });
  if (malformed) {
    return { ok: false, message: `expected \${NAME} or \${NAME:-default}; a literal \${ is written $\${` };
  }
  if (unset.size === 0) return { ok: true, text: result, filled };
  const plural = unset.size > 1 ? "variables" : "variable";
  return { ok: false, message: `expected the environment ${plural} ${[...unset].join(", ")} to be set` };
}

/** @returns the same values as they stand in a template (values/template.ts): their braces are braces */
export function withPlainBraces(env: Environment): Environment {
  const entries = Object.entries(env).map(([name, value]) => [name, value?.replace(/[{}]/g, "$&$&")]);
  return Object.fromEntries(entries);
}

/** @returns what stands for each variable that is set where its value is shown to nobody: `${NAME}`, in a template */
export function withNamesAlone(env: Environment): Environment {
  return Object.fromEntries(Object.keys(env).map((name) => [name, env[name] && `\${{${name}}}`]));
}

/**
 * The number or truth value a text filled in stands for, where one is expected.
 *
 * @returns `undefined` when it is neither a decimal integer nor true or false
 */
export function literalOf(text: string): number | boolean | undefined {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}
