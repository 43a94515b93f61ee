/** Seeded draws: one seed, one sequence, on every machine. PURE: the sequence is the argument's, not the world's. */
import { logGamma } from "../evidence/log-gamma.ts";

export interface Chance {
  /** From 0 up to 1, 1 left out. */
  uniform(): number;
  /** Of mean 0 and deviation 1. */
  normal(): number;
  /** @param mean at least 0 */
  poisson(mean: number): number;
}

const few = 10;

/** sfc32 (Chris Doty-Humphrey, PractRand, public domain), 128 bits of state. */
export function createChance(seed: number): Chance {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed | 0;
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let mixing = 0; mixing < 20; mixing += 1) next();
  const uniform = () => next() / 4_294_967_296;
  let spare: number | undefined;
  return {
    uniform,
    normal() {
      if (spare !== undefined) {
        const kept = spare;
        spare = undefined;
        return kept;
      }
      // Box & Muller; 1 − u is never 0.
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    poisson: (mean) => (mean < few ? poissonOfFew(mean, uniform) : poissonOfMany(mean, uniform)),
  };
}

function poissonOfFew(mean: number, uniform: () => number): number {
  const least = Math.exp(-mean);
  let product = uniform();
  let count = 0;
  while (product > least) {
    product *= uniform();
    count += 1;
  }
  return count;
}

/** PTRS: W. Hörmann, "The transformed rejection method for generating Poisson random variables", 1993. */
function poissonOfMany(mean: number, uniform: () => number): number {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const quick = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = uniform() - 0.5;
    const v = 1 - uniform();
    const distance = 0.5 - Math.abs(u);
    const count = Math.floor(((2 * a) / distance + b) * u + mean + 0.43);
    if (distance >= 0.07 && v <= quick) return count;
    if (count < 0 || (distance < 0.013 && v > distance)) continue;
    const left = Math.log((v * inverseAlpha) / (a / (distance * distance) + b));
    if (left <= count * Math.log(mean) - mean - logGamma(count + 1)) return count;
  }
}
