import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import type { PolledCommits } from "../builder/intake/poll-repos.ts";
import { Commit, RepoName } from "../protocol/names.ts";

const Stored = v.record(RepoName, Commit);

/**
 * The polled commits in one small file. A file that is missing or damaged only costs a batch build of what is
 * built already.
 */
export async function createPolledCommits(file: string): Promise<PolledCommits> {
  const commits = new Map<string, Commit>(Object.entries(await load(file)));
  let writing: Promise<void> = Promise.resolve();

  async function save(): Promise<void> {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.new`, JSON.stringify(Object.fromEntries(commits)));
    await rename(`${file}.new`, file);
  }
  return {
    get: (repo) => commits.get(repo),
    async set(repo, commit) {
      commits.set(repo, commit);
      writing = writing.then(save, save);
      await writing;
    },
  };
}

async function load(file: string): Promise<v.InferOutput<typeof Stored>> {
  try {
    const parsed = v.safeParse(Stored, JSON.parse(await readFile(file, "utf8")));
    return parsed.success ? parsed.output : {};
  } catch {
    return {};
  }
}
