import { expect, test } from "vitest";
import { createFakeBuilds } from "../../../test/support/fake-builds.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { silentLog } from "../../base/log.ts";
import { parseCommit, parseHostName, parseRepoName, type Commit } from "../../protocol/names.ts";
import { bisectInput, type GuiltyInput } from "./bisect-input.ts";

const signal = AbortSignal.timeout(60_000);
const web = parseHostName("web");
const revision = (number: number): Commit => parseCommit(String(number).padStart(40, "0"));
/** After this one they break `web`. */
const lastGood = revision(4);

interface Shape {
  /** The parent of the first new revision; where history was rewritten, another than the locked one. */
  readonly before?: Commit;
  readonly parts?: number;
}

/** Revisions 1 to 8 of an input, whose new state breaks `web`. */
async function bisect(proven: Partial<GuiltyInput> = {}, { before = revision(0), parts = 20 }: Shape = {}) {
  const clock = createFakeClock();
  const asked: Commit[] = [];
  const found = await bisectInput(
    {
      builds: createFakeBuilds([web], (commit) => (commit > lastGood ? "build-failed" : "built")),
      clock,
      log: silentLog,
      repo: parseRepoName("fleet"),
      revisionOf: (commit) => ({ commit }),
      inventory: async () => [web],
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
        lockAt: () => Promise.reject(new Error("unused")),
      },
      async offer(_input, rev) {
        asked.push(rev);
        return rev;
      },
      budget: { parts, deadline: clock.monotonic() + 60_000 },
    },
    {
      input: "nixpkgs",
      between: { base: revision(0), candidate: revision(9) },
      breakage: new Map([[web, new Set(["derivation web"])]]),
      isOldGood: true,
      isNewBad: true,
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
  expect(found).not.toHaveProperty("firstBad");
});
