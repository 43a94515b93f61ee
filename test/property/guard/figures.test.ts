/** The guard's figures in a short seeded form; `npm run simulate` measures them whole. */
import { expect, test } from "vitest";
import { figures, measure } from "../../simulate/figures.ts";

/** Enough to see a figure that is far off, in a few seconds altogether. */
const short: Readonly<Record<string, number>> = {
  "false in 24 h: 10/s, 25%": 15,
  "false in 24 h: 1/s, 5%": 25,
  "false in 24 h: 1/s, 5%, one client fails each minute": 12,
  "false in 24 h: 1/s, 5%, one client fails each minute and counts each time": 15,
  "detection: 2×, 10/s, 25%": 101,
  "detection: 10% fail, 10/s, 5%": 101,
  "detection: all fail, 10/s, 1%": 101,
  "detection: all fail, 0.2/s, 10%": 101,
  "payments: keeps none, 2/s, 5%": 41,
  "payments: keeps 50%, 2/s, 5%": 25,
  "payments, false in 24 h: 10/s, raised from 1 to 90% after 5 min, without strata": 10,
  "proof: 10/s, 25%": 101,
  "proof: 1/s, 25%": 101,
};
const isFull = process.env.CUTOVER_BARS === "full";
const wanted = figures.map((figure) => ({ figure, title: `${figure.table}: ${figure.name}` }));

test("every figure of the short form is one of the whole", () => {
  expect(wanted.map(({ title }) => title)).toEqual(expect.arrayContaining(Object.keys(short)));
});

test.each(wanted.filter(({ title }) => isFull || Object.hasOwn(short, title)))(
  "$title",
  ({ figure, title }) => {
    const runs = isFull ? figure.runs : (short[title] ?? 1);
    const { acted, median, isWithin } = measure(figure, 1, runs);
    expect(isWithin, `${acted} of ${runs} acted, median ${median} min`).toBe(true);
  },
);
