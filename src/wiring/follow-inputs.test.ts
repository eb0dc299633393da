import { expect, test } from "vitest";
import { lockOf, node } from "../../test/support/flake-locks.ts";
import { silentLog } from "../base/log.ts";
import { printFlakeLock } from "../nix/lock/flake-lock.ts";
import { unknownBuild, type BuildState } from "../protocol/build-state.ts";
import { parseBranchName, parseBuildId, parseCommit, parseRepoName, type Commit } from "../protocol/names.ts";
import { followInputs, inputTimes } from "./follow-inputs.ts";

const repo = parseRepoName("nixos");
const main = parseBranchName("main");
const [old, young] = ["a", "b"].map((digit) => parseCommit(digit.repeat(40))) as [Commit, Commit];

const build = (commit: Commit, startedAt: string, branch = main): BuildState => ({
  ...unknownBuild(parseBuildId("01ARZ3NDEKTSV4RRFFQ69G5FAV")),
  startedAt,
  sources: [{ repo, branch, commit }],
});
const lockAt = (state: number): string =>
  printFlakeLock(lockOf({ nixpkgs: node("nixpkgs", undefined, state) }));

/** Answers are given by the test, in the order that it likes. */
function followerOf(log = silentLog) {
  const asked = new Map<Commit, PromiseWithResolvers<string | undefined>>();
  const told: [string, number][][] = [];
  const follower = followInputs({
    branches: new Map([[repo, main]]),
    readLock: async (_, commit) => {
      const answer = Promise.withResolvers<string | undefined>();
      asked.set(commit, answer);
      return answer.promise;
    },
    setInputs: (_, inputs) => void told.push([...inputs]),
    log,
  });
  return { ...follower, asked, told };
}

test("the newest accepted commit of the branch counts, whatever is read first", async () => {
  const { follow, settled, asked, told } = followerOf();
  follow(build(old, "2026-01-01T00:00:00Z"));
  follow(build(young, "2026-01-02T00:00:00Z"));
  asked.get(young)?.resolve(lockAt(2));
  asked.get(old)?.resolve(lockAt(1));
  await settled();
  expect(told).toEqual([[["nixpkgs", 1_700_000_002]]]);
});

test("an older build, another branch, and a commit that is known are not read", async () => {
  const { follow, asked } = followerOf();
  follow(build(young, "2026-01-02T00:00:00Z"));
  asked.clear();
  follow(build(old, "2026-01-01T00:00:00Z"));
  follow(build(old, "2026-01-03T00:00:00Z", parseBranchName("feature")));
  follow(build(young, "2026-01-04T00:00:00Z"));
  expect([...asked.keys()]).toEqual([]);
});

test("a lock that cannot be read is a line of the debug log, and what was known stays", async () => {
  const lines: string[] = [];
  const fail = (): never => expect.fail("too loud");
  const { follow, settled, asked, told } = followerOf({
    info: fail,
    warn: fail,
    error: fail,
    debug: (_, message) => void lines.push(message),
  });
  follow(build(old, "2026-01-01T00:00:00Z"));
  asked.get(old)?.reject(new Error("no such object"));
  follow(build(young, "2026-01-02T00:00:00Z"));
  asked.get(young)?.resolve("{}");
  await settled();
  expect(lines).toHaveLength(2);
  expect(told).toEqual([]);
});

test("a flake without a lock has no inputs, and one that follows another none of its own", async () => {
  const { follow, settled, asked, told } = followerOf();
  follow(build(old, "2026-01-01T00:00:00Z"));
  asked.get(old)?.resolve(undefined);
  await settled();
  expect(told).toEqual([[]]);
  const lock = lockOf({ root: { inputs: { a: "a", b: ["a"] } }, a: node("a") });
  expect([...inputTimes(lock).keys()]).toEqual(["a"]);
});
