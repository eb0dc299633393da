import { expect, test } from "vitest";
import { requireTip } from "../../../test/support/fake-repository.ts";
import { master, simulateUpdate } from "../../../test/support/simulated-update.ts";
import { parseBranchName, type Commit } from "../../protocol/names.ts";
import { tidyBranches } from "./tidy-branches.ts";

const signal = AbortSignal.timeout(60_000);
const old = "flake-update/2026-11-20";

/** Branches of a day that is over: a run's own, and one on top of what a person did. */
async function simulateOldBranches() {
  const { options, repository, forge, journal } = await simulateUpdate();
  const { run, source } = options;
  const commitOn = async (parent: Commit): Promise<Commit> =>
    repository.commit(
      {
        parent,
        files: new Map([["flake.lock", "{}"]]),
        message: `Update\n\nHomelab-Update-Base: ${parent}`,
        author: source.author,
        date: new Date(0),
      },
      signal,
    );
  repository.refs.set(`refs/heads/${old}`, await commitOn(requireTip(repository, master)));
  const mixed = `${old}-2`;
  const theirs = await repository.person(mixed, { "flake.nix": "" });
  repository.refs.set(`refs/heads/${mixed}`, await commitOn(theirs));
  return {
    repository,
    forge,
    journal,
    tidy: async () => tidyBranches({ ...run, ...source, forge }, signal),
    branches: () => [...repository.refs.keys()].map((ref) => ref.replace("refs/heads/", "")).toSorted(),
  };
}

test("a branch of a day that is over goes, and one that holds work of people below ours stays", async () => {
  const { tidy, branches } = await simulateOldBranches();
  await tidy();
  expect(branches()).toEqual([`${old}-2`, "master"]);
});

test("a branch with an open pull request stays, whoever's and of whatever base it is", async () => {
  const { tidy, branches, forge, repository } = await simulateOldBranches();
  forge.pullRequests = async ({ base }) =>
    base === undefined
      ? [
          {
            number: 1,
            url: "",
            state: "open",
            title: "",
            body: "",
            labels: [],
            head: old,
            base: "stable",
            headCommit: requireTip(repository, old),
            createdAt: new Date(0),
          },
        ]
      : [];
  await tidy();
  expect(branches()).toEqual([old, `${old}-2`, "master"]);
});

test("the branch of the run that is about it stays", async () => {
  const { tidy, branches, journal, repository } = await simulateOldBranches();
  await journal.append({
    step: "branch-pushed",
    branch: parseBranchName(old),
    commit: requireTip(repository, old),
  });
  await tidy();
  expect(branches()).toEqual([old, `${old}-2`, "master"]);
});

test("a forge that does not answer costs no branch", async () => {
  const { tidy, branches, forge } = await simulateOldBranches();
  forge.pullRequests = () => Promise.reject(new Error("the forge is away"));
  await expect(tidy()).rejects.toThrow("away");
  expect(branches()).toEqual([old, `${old}-2`, "master"]);
});
