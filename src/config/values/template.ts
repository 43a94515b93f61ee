/**
 * A field's value in which names in braces stand for what each request has: `shop {side}`, `{param:orderId}`. A brace that
 * is one is written twice.
 */
export interface Template {
  readonly text: string;
  readonly parts: readonly TemplatePart[];
}

export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "shopper" | "requestId" | "side" }
  | { readonly kind: "param"; readonly name: string };

const longest = 4096;
/** RFC 9110 §5.5, in ASCII. */
const sound = /^[!-~](?:[\t -~]*[!-~])?$/;
const piece = /\{\{|\}\}|\{(?:(shopper|requestId|side)|param:([A-Za-z_][A-Za-z0-9_]*))\}|[^{}]+|./g;

/** @returns the template, or the sentence that says what was expected; it says nothing of the text, which may be a secret */
export function parseTemplate(text: string): Template | string {
  if (text.length > longest) return `expected at most ${longest} characters`;
  if (!sound.test(text)) return "expected a field's value: ASCII, in one line, with no space around it";
  const parts: TemplatePart[] = [];
  for (const [whole, word, param] of text.matchAll(piece)) {
    if (param !== undefined) parts.push({ kind: "param", name: param });
    else if (word === "shopper" || word === "requestId" || word === "side") parts.push({ kind: word });
    else if (whole === "{" || whole === "}")
      return "expected {shopper}, {requestId}, {side} or {param:NAME}; a brace that is one is written twice";
    else parts.push({ kind: "text", text: whole === "{{" || whole === "}}" ? whole.slice(1) : whole });
  }
  return { text, parts };
}
