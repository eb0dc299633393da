import { expect, test } from "vitest";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { silentLog } from "../base/log.ts";
import { parseCommit, parseRepoName, type RepoName } from "../protocol/names.ts";
import { createRetention } from "./retention.ts";

const [one, two] = [parseRepoName("one"), parseRepoName("two")];

const at = (repo: RepoName, digit = "a") => ({
  repo,
  commit: parseCommit(digit.repeat(40)),
  variant: undefined,
});

function start(dropOldRoots: (repo: RepoName | undefined) => Promise<void>) {
  const clock = createFakeClock();
  const stopped = new AbortController();
  const retention = createRetention(
    {
      dropOldRoots: async ([repo]) => dropOldRoots(repo),
      memory: {
        open: async () => {
          throw new Error("no build runs");
        },
        prune: async () => undefined,
      },
      keepCommits: 5,
      builds: new Map(),
      clock,
      log: silentLog,
    },
    stopped.signal,
  );
  return { clock, stopped, retention };
}

test("one look at once, and one more for all builds of a commit that end within a minute, of each repo by itself", async () => {
  const looks: (RepoName | undefined)[] = [];
  const { clock, stopped, retention } = start(async (repo) => void looks.push(repo));
  for (let build = 0; build < 1000; build++) retention.over(at(one));
  await clock.advance(0);
  expect(looks).toEqual([one]);
  for (let build = 0; build < 1000; build++) retention.over(at(one));
  retention.over(at(two));
  await clock.advance(59_000);
  expect(looks).toEqual([one, two]);
  await clock.advance(2000);
  expect(looks).toEqual([one, two, one]);
  await clock.advance(3_600_000);
  expect(looks).toEqual([one, two, one]);
  retention.over(at(one));
  await clock.advance(0);
  expect(looks).toEqual([one, two, one, one]);
  retention.over(at(one, "b"));
  await clock.advance(0);
  expect(looks).toEqual([one, two, one, one, one]);
  stopped.abort(new Error("stopped by the test"));
  await retention.settled();
});

test("a look that fails is no end: the next build has another", async () => {
  let looks = 0;
  const { clock, stopped, retention } = start(async () => {
    if (looks++ === 0) throw new Error("the disk is full");
  });
  retention.over(at(one));
  await clock.advance(0);
  retention.over(at(one));
  await clock.advance(61_000);
  expect(looks).toBe(2);
  stopped.abort(new Error("stopped by the test"));
  await retention.settled();
});
