import { expect, test } from "vitest";
import { parseCommit, type Commit } from "../../protocol/names.ts";
import { bisectInput, type CulpritInput } from "./bisect-input.ts";

const signal = AbortSignal.timeout(60_000);
const revision = (number: number): Commit => parseCommit(String(number).padStart(40, "0"));
/** After this one they break hosts. */
const lastGood = revision(4);

interface Shape {
  /** The parent of the first new revision; where history was rewritten, another than the locked one. */
  readonly before?: Commit;
  readonly parts?: number;
}

/** Revisions 1 to 8 of an input, whose new state breaks hosts. */
async function bisect(proven: Partial<CulpritInput> = {}, { before = revision(0), parts = 20 }: Shape = {}) {
  const asked: Commit[] = [];
  const judge = { built: 0, stopped: undefined as string | undefined };
  const found = await bisectInput(
    {
      judge,
      history: {
        revisions: async () => ({
          type: "found",
          old: revision(0),
          before,
          revisions: Array.from({ length: 8 }, (_, index) => ({
            rev: revision(index + 1),
            committedAt: new Date(index),
            subject: `change ${index + 1}`,
          })),
          compareUrl: (from, to) => `https://git.example/${Number(from)}...${Number(to)}`,
        }),
      },
    },
    {
      input: "nixpkgs",
      between: { base: revision(0), candidate: revision(9) },
      isOldGood: true,
      isNewBad: true,
      async test(rev) {
        if (asked.length >= parts) {
          judge.stopped = "its time was over";
          return undefined;
        }
        asked.push(rev);
        return rev > lastGood ? "bad" : "good";
      },
      ...proven,
    },
    signal,
  );
  return { found, asked };
}

test("the first revision that breaks the hosts is found by halves", async () => {
  const { found, asked } = await bisect();
  expect(found).toMatchObject({
    firstBad: { rev: revision(5) },
    lastGood,
    compareUrl: "https://git.example/4...5",
    probes: 3,
  });
  expect(asked).not.toContain(revision(0));
});

test("ends that nobody has proven are built first", async () => {
  const { found, asked } = await bisect({ isOldGood: false, isNewBad: false });
  expect(asked.slice(0, 2)).toEqual([revision(8), revision(0)]);
  expect(found).toMatchObject({ firstBad: { rev: revision(5) } });
});

test("where history was rewritten, the revision before the first new one is not the one that was built", async () => {
  const before = revision(9);
  const { found, asked } = await bisect({}, { before });
  expect(asked).toEqual([before]);
  expect(found.firstBad).toBeUndefined();
  expect(found.note).toContain("breaks the hosts too");
});

test("without a budget for more, the range is said that is left", async () => {
  const { found } = await bisect({}, { parts: 1 });
  expect(found).toMatchObject({ probes: 1, lastGood, suspects: { count: 4, last: { rev: revision(8) } } });
  expect(found.note).toBe("the search ended: its time was over");
  expect(found).not.toHaveProperty("firstBad");
});
