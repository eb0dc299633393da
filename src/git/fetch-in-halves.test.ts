import fc from "fast-check";
import { expect, test } from "vitest";
import { fetchInHalves } from "./fetch-in-halves.ts";

interface Told {
  readonly attempts: (readonly number[])[];
  readonly failed: number[];
  readonly fetched: Set<number>;
  readonly untried: readonly number[];
}

async function fetchAll(
  count: number,
  bad: ReadonlySet<number>,
  {
    slowAbove = Infinity,
    isOver = () => false,
  }: { slowAbove?: number; isOver?: (told: Told) => boolean } = {},
): Promise<Told> {
  const told = {
    attempts: [] as (readonly number[])[],
    failed: [] as number[],
    fetched: new Set<number>(),
    untried: [],
  };
  const untried = await fetchInHalves<number, "slow" | "bad">(
    Array.from({ length: count }, (_, index) => index),
    {
      async attempt(items) {
        told.attempts.push(items);
        if (items.length > slowAbove) return "slow";
        if (items.some((item) => bad.has(item))) return "bad";
        for (const item of items) told.fetched.add(item);
        return undefined;
      },
      isTooMuch: (failure) => failure === "slow",
      onFailed: async (item) => void told.failed.push(item),
      isOver: async () => isOver(told),
    },
  );
  return { ...told, untried };
}

test("what is good is fetched at once, and nothing is tried where there is nothing", async () => {
  expect((await fetchAll(1000, new Set())).attempts).toHaveLength(1);
  expect((await fetchAll(0, new Set())).attempts).toHaveLength(0);
});

test("every good one is fetched, every bad one is found, and none is tried alone twice", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.array(fc.nat(59)), async (count, chosen) => {
      const bad = new Set(chosen.filter((item) => item < count));
      const { attempts, failed, fetched, untried } = await fetchAll(count, bad);
      expect(new Set(failed)).toEqual(bad);
      expect(failed).toHaveLength(bad.size);
      expect(fetched.size).toBe(count - bad.size);
      expect(untried).toEqual([]);
      const alone = attempts.filter(({ length }) => length === 1);
      expect(new Set(alone.flat()).size).toBe(alone.length);
      expect(attempts.length).toBeLessThanOrEqual(2 * count - 1);
    }),
  );
});

test("one bad one costs two attempts for each halving at most", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2000 }), fc.nat(), async (count, chosen) => {
      const { attempts } = await fetchAll(count, new Set([chosen % count]));
      expect(attempts.length).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(count)));
    }),
  );
});

test("what is too much together is tried one by one, in order", async () => {
  const { attempts, failed, fetched } = await fetchAll(5, new Set([3]), { slowAbove: 1 });
  expect(attempts).toEqual([[0, 1, 2, 3, 4], [0], [1], [2], [3], [4]]);
  expect(failed).toEqual([3]);
  expect(fetched.size).toBe(4);
});

test("when it is over nothing more is tried, but what is found is named", async () => {
  const over = await fetchAll(4, new Set([1]), { isOver: ({ attempts }) => attempts.length >= 2 });
  expect(over.attempts).toEqual([
    [0, 1, 2, 3],
    [0, 1],
  ]);
  expect(over.untried).toEqual([0, 1, 2, 3]);
  const found = await fetchAll(2, new Set([1]), { isOver: ({ fetched }) => fetched.has(0) });
  expect(found.failed).toEqual([1]);
  expect(found.untried).toEqual([]);
});
