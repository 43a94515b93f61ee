/**
 * Searches a text with a program of RE2, one character after the other (Pike's machine: Russ Cox, "Regular Expression
 * Matching: the Virtual Machine Approach"). It finds what RE2 finds: the leftmost match, of these the one that a
 * backtracking search would find first. re2js has machines of its own, but none of them can be told when to stop: a step
 * here is counted, and a search that would take too many is given up.
 */
import { bytes, type Code, flags, operations, type Program, readProgram } from "./program.ts";

const surrogates = 0xd800;
const newline = 10;

/** Where the first group stands in the text, from and to, negative where it took no part; `match` where no group was asked for. */
export type Searched = { readonly from: number; readonly to: number } | "match" | "nothing" | "unfinished";

/** What is asked for: whether it is found at all, or what the first group has found. */
export type Wanted = "match" | "group";

/** Follows what needs no character. */
function createReach({ size, op, out, arg, takes }: Code) {
  /** The place at which an instruction was reached last: places have numbers, from 1. */
  const reached = new Uint32Array(size);
  const stack = new Int32Array(4 * size + 8);
  let steps = 0;

  /** Adds what is reached from an instruction without a character. @param character the one that stands there, -1: none */
  function reach(to: Threads, first: number, place: number, text: string, at: number, character: number) {
    let { groupFrom, groupTo } = to;
    let top = 1;
    stack[0] = first;
    while (top > 0) {
      const item = stack[--top] ?? 0;
      if (item < 0) {
        const before = stack[--top] ?? 0;
        if (item === -1) groupFrom = before;
        else groupTo = before;
        continue;
      }
      steps += 1;
      if (reached[item] === place) continue;
      reached[item] = place;
      switch (op[item]) {
        case operations.alt:
        case operations.altMatch:
          stack[top++] = arg[item] ?? 0;
          stack[top++] = out[item] ?? 0;
          break;
        case operations.nop:
          stack[top++] = out[item] ?? 0;
          break;
        case operations.emptyWidth:
          steps += 2;
          if (isAt(arg[item] ?? 0, text, at)) stack[top++] = out[item] ?? 0;
          break;
        case operations.capture:
          if (arg[item] === 2) {
            stack[top++] = groupFrom;
            stack[top++] = -1;
            groupFrom = at;
          } else if (arg[item] === 3) {
            stack[top++] = groupTo;
            stack[top++] = -2;
            groupTo = at;
          }
          stack[top++] = out[item] ?? 0;
          break;
        case operations.fail:
          break;
        default:
          if (op[item] === operations.match || takes(item, character)) {
            to.pc[to.length] = item;
            to.from[to.length] = groupFrom;
            to.to[to.length] = groupTo;
            to.length += 1;
          }
      }
    }
  }

  return {
    reach,
    /** @returns how many there were since the beginning */
    taken(more: number): number {
      steps += more;
      return steps;
    },
    begin(): void {
      steps = 0;
      reached.fill(0);
    },
  };
}

/**
 * One search after the other: what it works with is made once.
 *
 * @param mostSteps about as many instructions are looked at in a search, at most
 */
export function createSearch(
  program: Program,
  mostSteps: number,
): (text: string, wanted: Wanted) => Searched {
  const code = readProgram(program);
  const { size, start, op, out, begins, prefix, isAnchored } = code;
  const { reach, taken, begin } = createReach(code);
  /** Instructions that take the next character, or end a match; the likeliest first, each with the ends of its first group. */
  let now = createThreads(size);
  let next = createThreads(size);

  return (text, wanted) => {
    let found: Searched = "nothing";
    begin();
    now.length = 0;
    for (let at = 0, place = 1; ; place++) {
      if (now.length === 0) {
        if (found !== "nothing" || (isAnchored && at > 0)) return found;
        if (begins !== undefined && !isAnchored) {
          const passed = at;
          at = prefix === "" ? firstOf(begins, text, at) : text.indexOf(prefix, at);
          if (at === -1) return found;
          // Another place than the one where nothing took the character.
          if (at !== passed) place += 1;
          // Passing over what no match begins with costs less than a step each.
          taken((at - passed) >> (prefix === "" ? 4 : 7));
        }
      }
      if (taken(4 + now.length) > mostSteps)
        return found === "nothing" || wanted === "group" ? "unfinished" : found;
      const character = characterAt(text, at);
      const mayBegin = found === "nothing" && (at === 0 || !isAnchored);
      if (mayBegin && (begins === undefined || character >= bytes || begins[character] === 1)) {
        now.groupFrom = -1;
        now.groupTo = -1;
        reach(now, start, place, text, at, character);
      }
      const after = at + (character > 0xffff ? 2 : 1);
      const following = characterAt(text, after);
      next.length = 0;
      for (let i = 0; i < now.length; i++) {
        const pc = now.pc[i] ?? 0;
        next.groupFrom = now.from[i] ?? -1;
        next.groupTo = now.to[i] ?? -1;
        if (op[pc] === operations.match) {
          if (wanted === "match") return "match";
          found = { from: next.groupFrom, to: next.groupTo };
          // What comes behind it is less likely.
          break;
        }
        reach(next, out[pc] ?? 0, place + 1, text, after, following);
      }
      if (character === -1) return found;
      [now, next] = [next, now];
      at = after;
    }
  };
}

interface Threads {
  length: number;
  /** Where the first group of the one that is followed begins and ends. */
  groupFrom: number;
  groupTo: number;
  readonly pc: Uint16Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
}

function createThreads(size: number): Threads {
  return {
    length: 0,
    groupFrom: -1,
    groupTo: -1,
    pc: new Uint16Array(size),
    from: new Int32Array(size),
    to: new Int32Array(size),
  };
}

/** @returns where the first byte stands that a match may begin with, -1 where none does */
function firstOf(begins: Uint8Array, text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (begins[text.charCodeAt(at)] !== 0) return at;
  }
  return -1;
}

/** @returns -1 at the end */
function characterAt(text: string, at: number): number {
  if (at >= text.length) return -1;
  const unit = text.charCodeAt(at);
  return unit < surrogates ? unit : (text.codePointAt(at) ?? unit);
}

/** Whether all that is asked of a place is so there. */
function isAt(asked: number, text: string, at: number): boolean {
  if ((asked & flags.beginText) !== 0 && at > 0) return false;
  if ((asked & flags.endText) !== 0 && at < text.length) return false;
  const before = at > 0 ? text.charCodeAt(at - 1) : -1;
  const after = at < text.length ? text.charCodeAt(at) : -1;
  if ((asked & flags.beginLine) !== 0 && at > 0 && before !== newline) return false;
  if ((asked & flags.endLine) !== 0 && at < text.length && after !== newline) return false;
  if ((asked & (flags.wordBoundary | flags.noWordBoundary)) === 0) return true;
  const isBoundary = isWord(before) !== isWord(after);
  return (asked & (isBoundary ? flags.noWordBoundary : flags.wordBoundary)) === 0;
}

/** As `\w` of RE2: ASCII. */
function isWord(character: number): boolean {
  return (
    (character >= 48 && character <= 57) ||
    (character >= 65 && character <= 90) ||
    character === 95 ||
    (character >= 97 && character <= 122)
  );
}
