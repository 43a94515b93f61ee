/**
 * Characters that nobody sees: what reorders a line (bidi controls), has no width, or is no text at all. In a reason they
 * could make the history say something else than what is written there. PURE.
 */
const unseen = /[\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]|(?![\n\r\t])\p{Cc}/gu;

/** @returns the text with each of them as `\u{202e}`: a reason is never a cause to refuse a rollback */
export function escapeUnseen(text: string): string {
  return text.replace(unseen, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
