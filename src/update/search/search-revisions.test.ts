import fc from "fast-check";
import { expect, test } from "vitest";
import { searchRevisions, type RevisionVerdict } from "./search-revisions.ts";

const ends = (count: number): ReadonlyMap<number, RevisionVerdict> =>
  new Map([
    [0, "good"],
    [count, "bad"],
  ]);

/** All from one on are bad. */
const brokenFrom =
  (first: number) =>
  async (number: number): Promise<RevisionVerdict> =>
    number >= first ? "bad" : "good";

test("the fifth of eight is found with three questions", async () => {
  expect(await searchRevisions({ count: 8, known: ends(8), test: brokenFrom(5) })).toEqual({
    good: 4,
    bad: 5,
    probes: 3,
    skipped: 0,
    end: "found",
  });
});

test("a single revision is the one, without a question", async () => {
  const found = await searchRevisions({ count: 1, known: ends(1), test: brokenFrom(1) });
  expect(found).toMatchObject({ good: 0, bad: 1, probes: 0, end: "found" });
});

test("an end that nobody has proven is asked about first", async () => {
  const asked: number[] = [];
  const remember = async (number: number): Promise<RevisionVerdict> => {
    asked.push(number);
    return brokenFrom(2)(number);
  };
  const found = await searchRevisions({ count: 3, known: new Map([[3, "bad"]]), test: remember });
  expect(found).toMatchObject({ good: 1, bad: 2, end: "found" });
  expect(asked[0]).toBe(0);
});

test("where the oldest is bad or the newest good, nothing is named", async () => {
  const known = new Map<number, RevisionVerdict>();
  expect(await searchRevisions({ count: 4, known, test: async () => "bad" })).toMatchObject({
    end: "contradiction",
    good: undefined,
  });
  expect(await searchRevisions({ count: 4, known, test: async () => "good" })).toMatchObject({
    end: "contradiction",
    bad: undefined,
  });
});

test("what is skipped beside the first bad one leaves a range", async () => {
  const skipFour = async (number: number): Promise<RevisionVerdict> =>
    number === 4 ? "skip" : brokenFrom(5)(number);
  expect(await searchRevisions({ count: 8, known: ends(8), test: skipFour })).toMatchObject({
    good: 3,
    bad: 5,
    skipped: 1,
    end: "skipped",
  });
});

test("in any history the first bad revision is found with ⌈log₂ n⌉ questions and one for each that is skipped", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 300 }).chain((count) =>
        fc.record({
          count: fc.constant(count),
          first: fc.integer({ min: 1, max: count }),
          unsure: fc.uniqueArray(fc.integer({ min: 1, max: count }), { maxLength: 20 }),
        }),
      ),
      async ({ count, first, unsure }) => {
        const asked: number[] = [];
        const found = await searchRevisions({
          count,
          known: ends(count),
          test: async (number) => {
            asked.push(number);
            return unsure.includes(number) ? "skip" : brokenFrom(first)(number);
          },
        });
        const { good = -1, bad = -1, probes, skipped, end } = found;
        expect(new Set(asked).size).toBe(asked.length);
        expect(probes).toBe(asked.length);
        expect(probes).toBeLessThanOrEqual(Math.ceil(Math.log2(count)) + skipped);
        expect(good < first && first <= bad).toBe(true);
        // All that is left between the two was skipped; where nothing is left, it is found.
        expect(unsure).toEqual(expect.arrayContaining(between(good, bad)));
        expect(end === "found").toBe(bad === good + 1);
      },
    ),
  );
});

test("whatever is answered, one that is named was proven bad and the one before it good", async () => {
  const verdict = fc.constantFrom<(RevisionVerdict | undefined)[]>("good", "bad", "skip", undefined);
  await fc.assert(
    fc.asyncProperty(
      fc.array(verdict, { minLength: 2, maxLength: 64 }),
      fc.boolean(),
      async (table, isKnown) => {
        const count = table.length - 1;
        const known = isKnown ? ends(count) : new Map<number, RevisionVerdict>();
        const answer = (number: number): RevisionVerdict | undefined => known.get(number) ?? table[number];
        const found = await searchRevisions({ count, known, test: async (number) => table[number] });
        const { good, bad, end } = found;
        expect(good === undefined || answer(good) === "good").toBe(true);
        expect(bad === undefined || answer(bad) === "bad").toBe(true);
        expect(end !== "found" || bad === (good ?? Number.NaN) + 1).toBe(true);
      },
    ),
  );
});

const between = (low: number, high: number): number[] =>
  Array.from({ length: high - low - 1 }, (_, index) => low + 1 + index);
