/** A program of re2js as a search goes by it: flat, and with what is known of it before a text. */

/** An instruction of re2js. */
interface Instruction {
  readonly op: number;
  readonly out: number;
  readonly arg: number;
  readonly runes: ArrayLike<number>;
  matchRune(codePoint: number): boolean;
}

/** A program of re2js. */
export interface Program {
  readonly start: number;
  getInst(pc: number): Instruction;
  numInst(): number;
  /** What the text must be at the place of a match: flags as below. */
  startCond(): number;
}

export const operations = {
  alt: 1,
  altMatch: 2,
  capture: 3,
  emptyWidth: 4,
  fail: 5,
  match: 6,
  nop: 7,
  rune: 8,
  rune1: 9,
  anyRune: 10,
  anyRuneNotNewline: 11,
} as const;

export const flags = {
  beginLine: 1,
  endLine: 2,
  beginText: 4,
  endText: 8,
  wordBoundary: 16,
  noWordBoundary: 32,
} as const;

const failing = { op: operations.fail, out: 0, arg: 0, runes: [] } as const;

/** Characters that come from bytes. */
export const bytes = 256;
const longestPrefix = 16;
/** By the numbers of its instructions. */
export interface Code {
  readonly size: number;
  readonly start: number;
  readonly op: Uint8Array;
  readonly out: Uint16Array;
  readonly arg: Uint16Array;
  /** Whether an instruction takes a character. */
  takes(pc: number, codePoint: number): boolean;
  /** For each byte, 1 where a match may begin with it; `undefined` where one may begin with none. */
  readonly begins: Uint8Array | undefined;
  /** The text that every match begins with, as far as it is the same and short: in vain it is compared at each place. */
  readonly prefix: string;
  /** Whether a match begins at the text's beginning only. */
  readonly isAnchored: boolean;
}

export function readProgram(program: Program): Code {
  const size = program.numInst();
  const code = Array.from({ length: size }, (_, pc) => program.getInst(pc));
  const accepts = acceptedBytes(code);
  return {
    size,
    start: program.start,
    op: Uint8Array.from(code, ({ op }) => op),
    out: Uint16Array.from(code, ({ out }) => out),
    arg: Uint16Array.from(code, ({ arg }) => arg),
    takes(pc, codePoint) {
      if (codePoint < bytes) return codePoint >= 0 && accepts[pc * bytes + codePoint] === 1;
      const instruction = code[pc];
      return instruction !== undefined && accepted(instruction, codePoint);
    },
    begins: firstBytes(program, code, accepts),
    prefix: prefixOf(program, code),
    isAnchored: (program.startCond() & flags.beginText) !== 0,
  };
}

/** For each instruction, for each byte, 1 where it takes that byte. */
function acceptedBytes(code: readonly Instruction[]): Uint8Array {
  const accepts = new Uint8Array(code.length * bytes);
  for (const [pc, instruction] of code.entries()) {
    for (let byte = 0; byte < bytes; byte++) {
      if (accepted(instruction, byte)) accepts[pc * bytes + byte] = 1;
    }
  }
  return accepts;
}

function accepted(instruction: Instruction, codePoint: number): boolean {
  switch (instruction.op) {
    case operations.rune:
      return instruction.matchRune(codePoint);
    case operations.rune1:
      return codePoint === instruction.runes[0];
    case operations.anyRune:
      return true;
    case operations.anyRuneNotNewline:
      return codePoint !== 10;
    default:
      return false;
  }
}

function firstBytes(
  program: Program,
  code: readonly Instruction[],
  accepts: Uint8Array,
): Uint8Array | undefined {
  const begins = new Uint8Array(bytes);
  const seen = new Set<number>();
  const reach = [program.start];
  for (let pc = reach.pop(); pc !== undefined; pc = reach.pop()) {
    if (seen.has(pc)) continue;
    seen.add(pc);
    const { op, out, arg } = code[pc] ?? failing;
    if (op === operations.match) return undefined;
    if (op === operations.alt || op === operations.altMatch) reach.push(out, arg);
    else if (op === operations.nop || op === operations.capture || op === operations.emptyWidth)
      reach.push(out);
    else for (let byte = 0; byte < bytes; byte++) begins[byte] ||= accepts[pc * bytes + byte] ?? 0;
  }
  return begins;
}

function prefixOf({ start }: Program, code: readonly Instruction[]): string {
  let prefix = "";
  for (let pc = start; prefix.length < longestPrefix; ) {
    const { op, out, runes } = code[pc] ?? failing;
    if (op === operations.rune1) prefix += String.fromCodePoint(runes[0] ?? 0);
    else if (op !== operations.capture && op !== operations.nop) break;
    pc = out;
  }
  return prefix;
}
