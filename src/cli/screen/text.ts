/** Text on a terminal: what others wrote is made harmless, measured, cut and wrapped. PURE. */

const unsafe = /(?![\ufe00-\ufe0f])[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}]/u;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * Escapes whatever could move the cursor, recolour, retitle or reorder a terminal's line: control and format
 * characters (ESC, CSI, bidi overrides), lone surrogates, line separators. A reason is written by anyone.
 */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return " ";
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** Cells the text takes on a terminal; a wide character takes two. */
export function widthOf(text: string): number {
  let cells = 0;
  for (const { segment } of graphemes.segment(text)) cells += wide.test(segment) ? 2 : 1;
  return cells;
}

/** The text in at most `width` cells, its end cut with … where it is longer. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let cells = 0;
  for (const { segment } of graphemes.segment(text)) {
    cells += widthOf(segment);
    if (cells > width - 1) break;
    kept += segment;
  }
  return width > 0 ? `${kept}…` : "";
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}

/** Lines of at most `width` cells, broken at spaces, at most `most` of them; the last is cut with …. */
export function wrap(text: string, width: number, most: number): string[] {
  return flow(text.split(/ +/), " ", width, most);
}

/**
 * Joins pieces into lines of at most `width` cells, breaking between pieces only; a piece longer than a line is broken at
 * its spaces, a word longer than a line is cut with …, as is the last of `most` lines, behind a word.
 */
export function flow(pieces: readonly string[], gap: string, width: number, most: number): string[] {
  const lines: string[] = [];
  const fitting = pieces.flatMap((piece) =>
    gap !== " " && widthOf(piece) > width ? wrap(piece, width, most) : [piece],
  );
  for (const piece of fitting) {
    const last = lines.at(-1);
    const joined = last === undefined ? piece : last + gap + piece;
    if (last === undefined) lines.push(piece);
    else if (widthOf(joined) <= width || lines.length === most) lines[lines.length - 1] = joined;
    else lines.push(piece);
  }
  return lines.map((line) => cutAtWord(line, width));
}

function cutAtWord(text: string, width: number): string {
  const kept = cut(text, width);
  const isWhole = kept === text || text[kept.length - 1] === " ";
  const end = isWhole ? -1 : kept.lastIndexOf(" ");
  return end <= 0 || kept.slice(0, end).trim() === "" ? kept : `${kept.slice(0, end).trimEnd()}…`;
}

/** A line of at most `width` cells, or as many as it takes, broken at spaces; those after the first are indented. */
export function fitted(line: string, width: number): string[] {
  if (widthOf(line) <= width) return [line];
  const indent = /^ */.exec(line)?.[0] ?? "";
  const [first = "", ...rest] = flow(line.trimStart().split(/ +/), " ", width - indent.length - 2, 100);
  return [indent + first, ...rest.map((more) => `${indent}  ${more}`)];
}

/** A word as a POSIX shell takes it back: plain, or in single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
