import fc from "fast-check";
import { expect, test } from "vitest";
import { searchInputs } from "./search-inputs.ts";

const names = ["a", "b", "c", "d"];
const withoutAny =
  (...bad: readonly string[]) =>
  async (part: readonly string[]): Promise<boolean> =>
    !part.some((input) => bad.includes(input));

test("one bad input is found, and everything else can land", async () => {
  expect(await searchInputs({ inputs: names, test: withoutAny("c"), budget: 50 })).toEqual({
    landable: ["a", "b", "d"],
    guilty: ["c"],
    tests: 3,
    incomplete: false,
  });
});

test("two bad inputs leave the other two", async () => {
  const found = await searchInputs({ inputs: names, test: withoutAny("b", "c"), budget: 50 });
  expect([found.landable, found.guilty]).toEqual([
    ["a", "d"],
    ["b", "c"],
  ]);
});

test("inputs that need each other land together", async () => {
  const needs = async (part: readonly string[]): Promise<boolean> =>
    !part.includes("bad") && (!part.includes("a") || part.includes("b"));
  const found = await searchInputs({
    inputs: ["a", "b", "bad", "bad2"],
    test: async (part) => !part.includes("bad2") && needs(part),
    budget: 50,
  });
  expect(new Set(found.landable)).toEqual(new Set(["a", "b"]));
});

test("a single input has nothing to be parted from", async () => {
  expect(await searchInputs({ inputs: ["a"], test: async () => true, budget: 50 })).toMatchObject({
    landable: [],
    guilty: ["a"],
    tests: 0,
  });
});

test("where nothing builds, no input is accused", async () => {
  expect(await searchInputs({ inputs: names, test: async () => false, budget: 50 })).toMatchObject({
    landable: [],
    guilty: [],
    incomplete: false,
  });
});

test("a missing answer is no success, and said", async () => {
  expect(await searchInputs({ inputs: ["a", "b"], test: async () => undefined, budget: 50 })).toMatchObject({
    landable: [],
    incomplete: true,
  });
});

test("whatever the parts do: what is found was tested and builds, no part is asked twice, the budget holds", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 5 }),
      fc.array(fc.boolean(), { minLength: 32, maxLength: 32 }),
      fc.integer({ min: 1, max: 40 }),
      async (count, table, budget) => {
        const inputs = ["a", "b", "c", "d", "e"].slice(0, count);
        const asked: string[] = [];
        const answer = (part: readonly string[]): boolean =>
          table[part.reduce((bits, input) => bits | (1 << inputs.indexOf(input)), 0)] === true;
        const found = await searchInputs({
          inputs,
          budget,
          test: async (part) => {
            asked.push(part.toSorted().join());
            return answer(part);
          },
        });
        expect(new Set(asked).size).toBe(asked.length);
        expect(asked.length).toBeLessThanOrEqual(budget);
        expect(found.landable.length === 0 || answer(found.landable)).toBe(true);
        expect([...found.landable, ...found.guilty].toSorted()).toEqual(
          found.landable.length === 0 ? [] : inputs,
        );
      },
    ),
  );
});
