import { execFile } from "node:child_process";
import { access, chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test as base } from "vitest";
import { createRepository } from "../../src/git/create-repository.ts";
import type { Repository } from "../../src/git/git.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { parseBranchName, parseRepoName } from "../../src/protocol/names.ts";
import { createFleet, type Fleet } from "../support/fleet.ts";

const never = new AbortController().signal;
const master = "refs/heads/main";

const test = base
  .extend("directory", async ({}, { onCleanup }) => {
    const directory = await mkdtemp(join(tmpdir(), "homelab-repository-"));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    return directory;
  })
  .extend("fleet", async ({ directory }) => createFleet(directory))
  .extend("repository", async ({ directory, fleet }) => repositoryOf(fleet, join(directory, "mirror.git")));

const repositoryOf = (fleet: Fleet, directory: string): Repository =>
  createRepository({
    exec: createExec(),
    repo: parseRepoName("fleet"),
    url: fleet.url,
    directory,
    environment: { PATH: process.env["PATH"] },
  });

const author = { name: "bot", email: "bot@homelab.invalid" };
const date = new Date("2026-11-22T02:00:00Z");

async function candidate(repository: Repository, text = "new\n") {
  const parent = await repository.mirror.resolveBranch(parseBranchName("main"), never);
  const files = new Map([["flake.lock", text]]);
  return {
    parent,
    commit: await repository.commit(
      { parent, files, message: "flake.lock: update\n\nmore", author, date },
      never,
    ),
  };
}

test("a commit changes what it says, and the same content is the same commit", async ({
  fleet,
  repository,
}) => {
  await fleet.commit({ hosts: 1 });
  const { parent, commit } = await candidate(repository);
  expect((await candidate(repository)).commit).toBe(commit);
  expect(await repository.readFile(commit, "flake.lock", never)).toBe("new\n");
  expect(await repository.readFile(parent, "flake.lock", never)).toBeUndefined();
  expect(await repository.facts(commit, never)).toEqual({
    parents: [parent],
    authorEmail: author.email,
    committedAt: date,
    message: "flake.lock: update\n\nmore",
    changedFiles: ["flake.lock"],
  });
  expect(await repository.isAncestor(parent, commit, never)).toBe(true);
  expect(await repository.isAncestor(commit, parent, never)).toBe(false);
});

test("a push moves a ref only from the value that we know", async ({ fleet, repository }) => {
  await fleet.commit({ hosts: 1 });
  const { parent, commit } = await candidate(repository);
  expect(await repository.push([{ ref: master, from: parent, to: commit }], never)).toEqual({
    type: "pushed",
  });
  expect((await repository.remoteRefs(master, never)).get(master)).toBe(commit);
  // Once more, as after an answer that was lost.
  expect(await repository.push([{ ref: master, from: parent, to: commit }], never)).toEqual({
    type: "pushed",
  });
  const other = await candidate(repository, "other\n");
  const late = await repository.push([{ ref: master, from: parent, to: other.commit }], never);
  expect(late).toEqual({ type: "moved" });
  expect((await repository.remoteRefs(master, never)).get(master)).toBe(commit);
});

test("a branch is made once, and deleted only as it was", async ({ fleet, repository }) => {
  await fleet.commit({ hosts: 1 });
  const { commit } = await candidate(repository);
  const other = await candidate(repository, "other\n");
  const ref = "refs/heads/flake-update/2026-11-23";
  expect(await repository.push([{ ref, from: undefined, to: commit }], never)).toEqual({ type: "pushed" });
  expect(await repository.push([{ ref, from: undefined, to: other.commit }], never)).toEqual({
    type: "moved",
  });
  expect([...(await repository.remoteRefs("refs/heads/flake-update/", never)).keys()]).toEqual([ref]);
  expect((await repository.push([{ ref, from: other.commit, to: undefined }], never)).type).toBe("moved");
  expect(await repository.push([{ ref, from: commit, to: undefined }], never)).toEqual({ type: "pushed" });
  expect(await repository.push([{ ref, from: commit, to: undefined }], never)).toEqual({ type: "pushed" });
});

test("of twenty that push at once exactly one wins", async ({ fleet, directory, repository }) => {
  await fleet.commit({ hosts: 1 });
  const { parent } = await candidate(repository);
  const racers = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const racer = repositoryOf(fleet, join(directory, `racer${i % 4}.git`));
      return { racer, commit: (await candidate(racer, `${i}\n`)).commit };
    }),
  );
  const results = await Promise.all(
    racers.map(({ racer, commit }) => racer.push([{ ref: master, from: parent, to: commit }], never)),
  );
  expect(results.filter(({ type }) => type === "pushed")).toHaveLength(1);
  expect(results.filter(({ type }) => type === "moved")).toHaveLength(19);
});

test("a hook that refuses is told with its words", async ({ fleet, repository }) => {
  await fleet.commit({ hosts: 1 });
  const { parent, commit } = await candidate(repository);
  const hook = join(fleet.bare, "hooks/pre-receive");
  await promisify(execFile)("mkdir", ["-p", join(fleet.bare, "hooks")]);
  await writeFile(
    hook,
    "#!/bin/sh\necho 'error: Not allowed to push to protected branch main' >&2\nexit 1\n",
  );
  await chmod(hook, 0o755);
  expect(await repository.push([{ ref: master, from: parent, to: commit }], never)).toEqual({
    type: "refused",
    reason: expect.stringContaining("Not allowed to push to protected branch main"),
  });
  await rm(hook);
});

test("a checkout has the files and goes again", async ({ fleet, repository }) => {
  const commit = await fleet.commit({ hosts: 3 });
  await repository.mirror.ensureCommit(commit, never);
  let directory = "";
  {
    await using checkout = await repository.checkOut(commit, never);
    directory = checkout.directory;
    expect(await readFile(join(directory, "fleet.json"), "utf8")).toContain('"hosts":3');
  }
  await expect(access(directory)).rejects.toThrow("ENOENT");
});

test("a remote that is gone is said to be", async ({ fleet, repository }) => {
  await fleet.commit({ hosts: 1 });
  const { parent, commit } = await candidate(repository);
  await rm(fleet.bare, { recursive: true });
  await expect(repository.push([{ ref: master, from: parent, to: commit }], never)).rejects.toMatchObject({
    code: "GIT_REMOTE",
  });
});
