import * as v from "valibot";
import { createJsonFile } from "../base/json-file.ts";
import type { PolledCommits } from "../builder/intake/poll-repos.ts";
import { Commit, RepoName } from "../protocol/names.ts";

const Stored = v.record(RepoName, Commit);

/**
 * The polled commits in one small file. A file that is missing or damaged only costs a batch build of what is
 * built already.
 */
export async function createPolledCommits(path: string): Promise<PolledCommits> {
  const file = createJsonFile(path, Stored);
  const commits = new Map<string, Commit>(Object.entries((await file.read()) ?? {}));
  return {
    get: (repo) => commits.get(repo),
    async set(repo, commit) {
      commits.set(repo, commit);
      await file.write(Object.fromEntries(commits));
    },
  };
}
