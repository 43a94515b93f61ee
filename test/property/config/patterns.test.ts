/**
 * Expressions of the configuration over what strangers send. Random ones find what re2js finds with them, and none takes
 * longer than 5 ms of CPU, best of three, over the longest value and the longest body, made for it. CUTOVER_BARS=full:
 * 10,000 of them, and held to that; RUNS: as many, with SEED for a part of them beside others.
 */
import fc from "fast-check";
import { RE2JS } from "re2js";
import { expect, test } from "vitest";
import {
  type Expression,
  firstGroup,
  isFound,
  parseExpression,
  unfinished,
} from "../../../src/config/values/expression.ts";
import { longestText } from "../../../src/decide/sources.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const isFull = process.env.CUTOVER_BARS === "full";
const count = isFull ? Number(process.env.RUNS ?? 10_000) : 15;
const longestBody = 65_536;
/** A machine busy with other tests takes longer, and what is not compiled yet: without a bound some take seconds. */
const mostMs = isFull ? 5 : 200;

/** An expression, and a text that it finds or nearly finds. */
interface Pattern {
  readonly text: string;
  readonly sample: string;
}

const literal = fc
  .constantFrom(..."aaabbc01-/:.<>é€😀")
  .map((sample): Pattern => ({ text: RE2JS.quote(sample), sample }));
const some = fc.constantFrom<Pattern>(
  { text: ".", sample: "a" },
  { text: "\\d", sample: "1" },
  { text: "\\w", sample: "a" },
  { text: "\\s", sample: "\n" },
  { text: "\\S", sample: "b" },
  { text: "[a-c]", sample: "c" },
  { text: "[^<]", sample: "b" },
  { text: "[^a\\n]", sample: "0" },
  { text: "(?i:aBc)", sample: "ABC" },
  { text: "(?s:.)", sample: "\n" },
  { text: "\\pL", sample: "é" },
);
const place = fc
  .constantFrom("^", "$", "\\b", "\\B", "\\A", "\\z", "(?m:^)", "(?m:$)")
  .map((text): Pattern => ({ text, sample: "" }));
const times = fc.oneof(
  { arbitrary: fc.constantFrom("*", "+", "?", "*?", "+?", "??"), weight: 6 },
  {
    arbitrary: fc.tuple(fc.nat(3), fc.nat(4)).map(([least, more]) => `{${least},${least + more}}`),
    weight: 2,
  },
  {
    arbitrary: fc.tuple(fc.nat(300), fc.nat(600)).map(([least, more]) => `{${least},${least + more}}`),
    weight: 1,
  },
);

const { pattern } = fc.letrec<{ pattern: Pattern; part: Pattern }>((tie) => ({
  pattern: fc.array(tie("part"), { minLength: 1, maxLength: 4 }).map((parts) => ({
    text: parts.map(({ text }) => text).join(""),
    sample: parts.map(({ sample }) => sample).join(""),
  })),
  part: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { arbitrary: literal, weight: 5 },
    { arbitrary: some, weight: 4 },
    { arbitrary: place, weight: 1 },
    { arbitrary: tie("pattern").map(({ text, sample }) => ({ text: `(${text})`, sample })), weight: 3 },
    {
      arbitrary: fc
        .tuple(tie("pattern"), tie("pattern"))
        .map(([one, other]) => ({ text: `(?:${one.text}|${other.text})`, sample: other.sample })),
      weight: 2,
    },
    {
      arbitrary: fc.tuple(tie("pattern"), times).map(([{ text, sample }, often]) => ({
        text: `(?:${text})${often}`,
        sample: sample.repeat(
          Math.min(Number(/\d+/.exec(often)?.[0] ?? 2), Math.ceil(600 / (sample.length + 1))),
        ),
      })),
      weight: 3,
    },
  ),
}));

const short = fc.string({ unit: fc.constantFrom(..."aabc01-:<>\nAé€😀"), maxLength: 12 });

/** @returns `undefined` where the configuration refuses it */
function expressionOf(text: string): Expression | undefined {
  const parsed = parseExpression(text);
  return typeof parsed === "string" ? undefined : parsed;
}

test("find what re2js finds with them", () => {
  const texts = fc.tuple(short, short, fc.nat(4));
  fc.assert(
    fc.property(pattern, texts, ({ text, sample }, [before, after, often]) => {
      const expression = expressionOf(text);
      fc.pre(expression !== undefined);
      const whole = (before + sample.slice(0, 40).repeat(often) + after).slice(0, 120);
      const compiled = RE2JS.compile(text);
      const matcher = compiled.matcher(whole);
      const finds = matcher.find();
      const found = isFound(expression, whole);
      fc.pre(found !== unfinished);
      expect(found).toBe(finds);
      const group = finds && compiled.groupCount() > 0 ? matcher.group(1) || undefined : undefined;
      expect(firstGroup(expression, whole)).toBe(group);
    }),
    { seed, numRuns: isFull ? 50_000 : 400 },
  );
});

/** What makes a machine for the expression work: its own text over and over, and what is nearly that. */
function hostileTexts({ sample }: Pattern, pump: string, length: number): string[] {
  const filled = (text: string) => text.repeat(Math.ceil(length / Math.max(1, text.length))).slice(0, length);
  const bytes = (text: string) => Buffer.from(text).toString("latin1");
  return [
    filled(bytes(sample) || "a"),
    `${filled(bytes(sample.slice(0, -1)) || "a").slice(0, -1)}!`,
    filled(bytes(sample + pump)),
    `${bytes(sample).slice(0, length / 2)}${filled(bytes(pump) || "b")}`.slice(0, length),
    filled("a"),
    `${filled("ab").slice(0, -1)}\n`,
  ];
}

/**
 * Of the thread that searches: at most what the process took, in which the engine compiles beside it, and at most what has
 * passed, in which the system may have run others.
 *
 * @returns milliseconds of CPU, best of three
 */
function costOf(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3 && best > mostMs; round++) {
    const began = performance.now();
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000, performance.now() - began);
  }
  return best;
}

test(`${count.toLocaleString("en")} random patterns over hostile values and bodies: none takes longer than ${mostMs} ms of CPU`, () => {
  const arbitrary = fc.tuple(pattern, short).filter(([{ text }]) => expressionOf(text) !== undefined);
  // What a process does for the first time is not compiled yet.
  for (const [one, pump] of fc.sample(arbitrary, { seed: 1, numRuns: isFull ? 40 : 0 })) {
    const expression = expressionOf(one.text);
    for (const text of hostileTexts(one, pump, longestBody)) expression && firstGroup(expression, text);
  }
  let worst = { ms: 0, text: "", length: 0 };
  let tried = 0;
  let large = 0;
  let givenUp = 0;
  for (const [one, pump] of fc.sample(arbitrary, { seed, numRuns: count })) {
    const expression = expressionOf(one.text);
    if (expression === undefined) continue;
    tried += 1;
    if (expression.size > 500) large += 1;
    for (const length of [longestText, longestBody]) {
      for (const text of hostileTexts(one, pump, length)) {
        for (const find of [firstGroup, isFound]) {
          let found: unknown;
          const ms = costOf(() => {
            found = find(expression, text);
          });
          if (found === unfinished) givenUp += 1;
          if (ms > worst.ms) worst = { ms, text: one.text, length };
        }
      }
    }
  }
  process.stdout.write(
    `seed ${seed}: ${tried} patterns, ${large} of more than 500 instructions; ${givenUp} searches given up; the longest ${worst.ms.toFixed(1)} ms, ${worst.text.length} characters over ${worst.length} bytes\n`,
  );
  expect(tried).toBe(count);
  expect(worst.ms, worst.text).toBeLessThanOrEqual(mostMs);
}, 1_800_000);
