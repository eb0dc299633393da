import fc from "fast-check";
import { expect, test } from "vitest";
import { searchInputs, type PartVerdict, type SearchResult } from "./search-inputs.ts";

const names = ["a", "b", "c", "d", "e", "f", "g", "h"];

interface Fleet {
  /** Each of these sets breaks the hosts. */
  readonly breaking?: readonly (readonly string[])[];
  /** With the first and without the second they fail in a way of their own. */
  readonly needs?: readonly (readonly [string, string])[];
}

const verdictIn =
  ({ breaking = [], needs = [] }: Fleet) =>
  (part: readonly string[]): PartVerdict => {
    if (needs.some(([input, other]) => part.includes(input) && !part.includes(other))) return "other";
    return breaking.some((set) => set.every((input) => part.includes(input))) ? "bad" : "good";
  };

/** With how many parts it asked about. */
async function search(
  inputs: readonly string[],
  verdictOf: (part: readonly string[]) => PartVerdict,
  most = Infinity,
): Promise<SearchResult & { readonly asked: number }> {
  const asked: string[] = [];
  const result = await searchInputs({
    inputs,
    async test(part) {
      if (asked.length >= most) return undefined;
      asked.push(part.toSorted().join());
      return verdictOf(part);
    },
  });
  expect(new Set(asked).size).toBe(asked.length);
  return { ...result, asked: asked.length };
}

test("one of eight is found by halves, and the rest is proven to be good", async () => {
  const found = await search(names, verdictIn({ breaking: [["c"]] }));
  expect(found.culprits).toEqual([["c"]]);
  expect(found.landable).toEqual(names.filter((name) => name !== "c"));
  // The base, the whole, three halves at most, it alone, and the rest.
  expect(found.asked).toBeLessThanOrEqual(7);
});

test("two that break hosts each by itself are both named", async () => {
  const found = await search(names, verdictIn({ breaking: [["b"], ["g"]] }));
  expect(new Set(found.culprits.flat())).toEqual(new Set(["b", "g"]));
  expect(found.culprits).toHaveLength(2);
  expect(found.landable).toHaveLength(6);
});

test("two that break hosts only together are named together, and one of them can land", async () => {
  const found = await search(names, verdictIn({ breaking: [["b", "f"]] }));
  expect(found.culprits.map((group) => group.toSorted())).toEqual([["b", "f"]]);
  expect(found.landable).toHaveLength(7);
});

test("a single input is a culprit when the base is good without it, and only then", async () => {
  expect(await search(["a"], verdictIn({ breaking: [["a"]] }))).toMatchObject({
    culprits: [["a"]],
    landable: [],
  });
  expect(await search(["a"], () => "bad")).toMatchObject({
    culprits: [],
    unproven: { reason: "the hosts do not build without it either" },
  });
});

test("inputs that need each other are not culprits of what a third one breaks", async () => {
  const fleet = {
    breaking: [["c"]],
    needs: [
      ["a", "b"],
      ["b", "a"],
    ],
  } as const;
  expect(await search(["a", "c", "b"], verdictIn(fleet))).toMatchObject({ culprits: [["c"]] });
  // Also where they fail in just the same way when they are parted.
  const alike = (part: readonly string[]): PartVerdict =>
    verdictIn(fleet)(part) === "good" ? "good" : "bad";
  expect(await search(["a", "b", "c"], alike)).toMatchObject({ culprits: [["c"]] });
});

test("where parts fail in other ways, nobody is named", async () => {
  const onlyTogether = verdictIn({ breaking: [["a", "b"]], needs: [["a", "b"]] });
  expect(await search(["a", "b", "c"], onlyTogether)).toMatchObject({
    culprits: [],
    unproven: { reason: "it is among b, a, which fail in other ways when they are parted" },
    landable: ["b"],
  });
});

test("without an answer nobody is named, and what was found to be good can land", async () => {
  const verdict = verdictIn({ breaking: [["h"]] });
  expect(await search(names, verdict, 4)).toMatchObject({ culprits: [], unproven: "stopped" });
  expect((await search(names, verdict, 4)).landable.length).toBeGreaterThan(3);
  expect(await search(names, verdict, 0)).toMatchObject({ culprits: [], unproven: "stopped", landable: [] });
});

/** What is claimed, and not so. */
function unprovenIn(
  { culprits, landable }: SearchResult,
  inputs: readonly string[],
  verdict: (part: readonly string[]) => PartVerdict,
): readonly string[] {
  const without = (part: readonly string[], gone: readonly string[]) =>
    part.filter((each) => !gone.includes(each));
  const innocent = culprits.filter(
    (group) =>
      verdict(group) !== "bad" ||
      (group.length > 1 && group.some((input) => verdict(without(group, [input])) !== "good")),
  );
  return [
    ...innocent.map((group) => `culprits: ${group.join()}`),
    ...(culprits.length > 0 && verdict(without(inputs, culprits.flat())) !== "good" ? ["the rest"] : []),
    ...(landable.length > 0 && verdict(landable) !== "good" ? ["landable"] : []),
  ];
}

const sets = fc.array(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 3,
});

test("whatever breaks the hosts: who is named is a culprit, all who are culprits are named, few are asked", async () => {
  await fc.assert(
    fc.asyncProperty(sets, async (breaking) => {
      const verdict = verdictIn({ breaking });
      const found = await search(names, verdict);
      expect(found.unproven).toBeUndefined();
      expect(unprovenIn(found, names, verdict)).toEqual([]);
      expect(found.landable.length).toBeGreaterThan(0);
      // ⌈log₂ 8⌉ for each of at most nine, and the proofs.
      expect(found.asked).toBeLessThanOrEqual(60);
    }),
    { numRuns: 500 },
  );
});

test("whatever is answered, also nonsense: who is named was proven, and it ends", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.constantFrom<PartVerdict>("good", "bad", "other"), { minLength: 32, maxLength: 32 }),
      fc.integer({ min: 0, max: 40 }),
      async (count, table, most) => {
        const inputs = names.slice(0, count);
        const verdict = (part: readonly string[]): PartVerdict =>
          part.length === count
            ? "bad"
            : (table[part.reduce((bits, input) => bits | (1 << inputs.indexOf(input)), 0)] ?? "other");
        const found = await search(inputs, verdict, most);
        expect(unprovenIn(found, inputs, verdict)).toEqual([]);
        expect(found.culprits.length > 0).toBe(found.unproven === undefined);
      },
    ),
    { numRuns: 2_000 },
  );
});
