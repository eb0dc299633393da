import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, readdir, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { test as base, expect } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import { createMirror, type MirrorOptions } from "../../src/git/mirror.ts";
import { createExec } from "../../src/process/create-exec.ts";
import type { Exec } from "../../src/process/exec.ts";
import { type Commit, parseBranchName, parseCommit, parseRepoName } from "../../src/protocol/names.ts";
import { startGitHttpsServer } from "../support/git-https-server.ts";
import { createGitRemote, gitEnvironment, type GitRemote } from "../support/git-remote.ts";
import { createScratch } from "../support/scratch.ts";

const run = promisify(execFile);
const never = new AbortController().signal;
const main = parseBranchName("main");
const environment = { PATH: process.env["PATH"] ?? "" };

interface Place {
  readonly directory: string;
  readonly remote: GitRemote;
  readonly mirrorPath: string;
  mirror(options?: Partial<MirrorOptions>): ReturnType<typeof createMirror>;
  /** Arguments of every program that a mirror ran. */
  readonly calls: (readonly string[])[];
  readonly inMirror: (...args: readonly string[]) => Promise<string>;
}

const test = base.extend<{ place: Place }>({
  place: async ({}, use) => {
    await using scratch = await createScratch("git-mirror-");
    const { directory } = scratch;
    const remote = await createGitRemote(join(directory, "server"));
    const mirrorPath = join(directory, "state", "mirrors", "nixos.git");
    const calls: (readonly string[])[] = [];
    const real = createExec();
    const exec: Exec = (file, args, options) => {
      calls.push([file, ...args]);
      return real(file, args, options);
    };
    await use({
      directory,
      remote,
      mirrorPath,
      calls,
      mirror: (options = {}) =>
        createMirror({
          exec,
          repo: parseRepoName("nixos"),
          url: remote.url,
          directory: mirrorPath,
          environment,
          ...options,
        }),
      inMirror: async (...args) => {
        const { stdout } = await run("git", ["-C", mirrorPath, ...args], { env: gitEnvironment });
        return stdout.trim();
      },
    });
  },
});

const counted = (calls: readonly (readonly string[])[], command: string): number =>
  calls.filter((call) => call.includes(command)).length;

test("gives the commit of the branch, and the next one once it is pushed", async ({ place }) => {
  const { remote, inMirror } = place;
  const mirror = place.mirror();
  const first = await remote.commit();
  expect(await mirror.resolveBranch(main, never)).toBe(first);
  const second = await remote.commit();
  expect(await mirror.resolveBranch(main, never)).toBe(second);
  expect(await inMirror("show", `${second}:number`)).toBe("2");
  expect(await inMirror("symbolic-ref", "HEAD")).toBe("refs/heads/main");
});

test("fetches nothing when the commit is already here", async ({ place }) => {
  const mirror = place.mirror();
  await place.remote.commit();
  await mirror.resolveBranch(main, never);
  place.calls.length = 0;
  await mirror.resolveBranch(main, never);
  expect(counted(place.calls, "ls-remote")).toBe(1);
  expect(counted(place.calls, "fetch")).toBe(0);
});

test("runs no program for a commit that was found a minute ago, and looks again after that", async ({
  place,
}) => {
  const { remote, calls } = place;
  let now = 0;
  const mirror = place.mirror({ clock: { monotonic: () => now } });
  await remote.commit();
  const commit = await mirror.resolveBranch(main, never);
  calls.length = 0;
  for (let request = 0; request < 100; request++) await mirror.ensureCommit(commit, never);
  expect(calls).toEqual([]);
  await mirror.resolveBranch(main, never);
  expect(calls).toHaveLength(1);
  expect(counted(calls, "ls-remote")).toBe(1);
  now += 61_000;
  await mirror.ensureCommit(commit, never);
  expect(counted(calls, "rev-list")).toBe(1);
  const next = await remote.commit();
  expect(await mirror.resolveBranch(main, never)).toBe(next);
});

test("follows a forced push, and keeps the commit that was there before", async ({ place }) => {
  const { remote, inMirror } = place;
  const mirror = place.mirror();
  await remote.commit();
  const replaced = await remote.commit();
  expect(await mirror.resolveBranch(main, never)).toBe(replaced);
  const replacing = await remote.commit({ amend: true });
  expect(await mirror.resolveBranch(main, never)).toBe(replacing);
  await inMirror("reflog", "expire", "--expire=now", "--all");
  await inMirror("gc", "--quiet", "--prune=now");
  await mirror.ensureCommit(replaced, never);
  expect(await inMirror("show", `${replaced}:number`)).toBe("2");
});

test("keeps only the commits that were used last", async ({ place }) => {
  const { remote, mirrorPath } = place;
  const mirror = place.mirror({ keptCommits: 3 });
  const commits = [];
  for (let i = 0; i < 5; i++) {
    commits.push(await remote.commit());
    await mirror.resolveBranch(main, never);
    // The oldest stays in use all the time.
    await mirror.ensureCommit(commits[0] ?? parseCommit("0".repeat(40)), never);
  }
  const kept = await readdir(join(mirrorPath, "refs", "homelab-deploy"));
  expect(new Set(kept)).toEqual(new Set([commits[0], commits[3], commits[4]]));
});

test("says that a branch is unknown, and which one was meant", async ({ place }) => {
  const mirror = place.mirror();
  await place.remote.commit();
  await expect(mirror.resolveBranch(parseBranchName("mian"), never)).rejects.toMatchObject({
    kind: "usage",
    code: "UNKNOWN_BRANCH",
    message: "nixos has no branch mian",
    hint: "did you mean main?",
  });
});

test("a branch that was deleted is unknown, and another can take its place below its name", async ({
  place,
}) => {
  const { remote } = place;
  const mirror = place.mirror();
  await remote.commit();
  await remote.commit({ branch: "feature" });
  await mirror.resolveBranch(parseBranchName("feature"), never);
  await remote.git("update-ref", "-d", "refs/heads/feature");
  await expect(mirror.resolveBranch(parseBranchName("feature"), never)).rejects.toMatchObject({
    code: "UNKNOWN_BRANCH",
  });
  // A file refs/heads/feature in the mirror would be in the way of this one.
  const below = await remote.commit({ branch: "other" });
  await remote.git("branch", "-m", "other", "feature/one");
  expect(await mirror.resolveBranch(parseBranchName("feature/one"), never)).toBe(below);
});

test("HEAD names a branch that exists after its branch is renamed away", async ({ place }) => {
  const { remote, inMirror } = place;
  const mirror = place.mirror();
  await remote.commit();
  await mirror.resolveBranch(main, never);
  const moved = await remote.commit({ branch: "trunk" });
  await remote.git("update-ref", "-d", "refs/heads/main");
  expect(await mirror.resolveBranch(parseBranchName("trunk"), never)).toBe(moved);
  expect(await inMirror("rev-parse", "HEAD")).toBe(moved);
});

test("brings a commit of any branch, and refuses one that no branch has", async ({ place }) => {
  const { remote } = place;
  const mirror = place.mirror();
  await remote.commit();
  const elsewhere = await remote.commit({ branch: "elsewhere" });
  await mirror.ensureCommit(elsewhere, never);
  await expect(mirror.ensureCommit(parseCommit("0".repeat(39) + "1"), never)).rejects.toMatchObject({
    kind: "usage",
    code: "UNKNOWN_COMMIT",
  });
  // As a forge keeps the commits of anybody's pull request.
  const stranger = await remote.commit({ branch: "stranger" });
  await remote.git("update-ref", "refs/pull/7/head", stranger);
  await remote.git("update-ref", "-d", "refs/heads/stranger");
  await expect(mirror.ensureCommit(stranger, never)).rejects.toMatchObject({ code: "UNKNOWN_COMMIT" });
});

test("a remote that is away is unavailable, and works again when it is back", async ({ place }) => {
  const { remote, directory } = place;
  const mirror = place.mirror();
  const commit = await remote.commit();
  const away = join(directory, "away");
  await rename(remote.path, away);
  await expect(mirror.resolveBranch(main, never)).rejects.toMatchObject({
    kind: "unavailable",
    code: "GIT_REMOTE",
    message: expect.stringContaining("does not appear to be a git repository"),
  });
  await expect(mirror.ensureCommit(commit, never)).rejects.toMatchObject({ code: "GIT_REMOTE" });
  await rename(away, remote.path);
  expect(await mirror.resolveBranch(main, never)).toBe(commit);
});

/** Enough objects that git keeps the pack as it came. */
const manyFiles = Object.fromEntries(
  Array.from({ length: 150 }, (_, i) => [`file-${i}`, `${i} ${"x".repeat(i)}\n`]),
);

async function truncatePacks(mirrorPath: string): Promise<void> {
  const directory = join(mirrorPath, "objects", "pack");
  const packs = (await readdir(directory)).filter((name) => name.endsWith(".pack"));
  expect(packs).not.toEqual([]);
  for (const pack of packs) {
    const { size } = await stat(join(directory, pack));
    await truncate(join(directory, pack), Math.floor(size / 2));
  }
}

test("a truncated pack heals while it runs", async ({ place }) => {
  const { remote, mirrorPath, inMirror } = place;
  const mirror = place.mirror();
  const commit = await remote.commit({ files: manyFiles });
  await mirror.resolveBranch(main, never);
  await truncatePacks(mirrorPath);
  expect(await mirror.resolveBranch(main, never)).toBe(commit);
  await inMirror("fsck", "--full");
  expect(await inMirror("show", `${commit}:file-7`)).toContain("7 xxxxxxx");
});

test("a truncated pack heals at the next start", async ({ place }) => {
  const { remote, mirrorPath, inMirror } = place;
  const commit = await remote.commit({ files: manyFiles });
  await place.mirror().resolveBranch(main, never);
  await truncatePacks(mirrorPath);
  expect(await place.mirror().resolveBranch(main, never)).toBe(commit);
  await inMirror("fsck", "--full");
});

test.for([
  ["that is deleted", (path: string) => rm(path, { recursive: true })],
  ["whose HEAD is gone", (path: string) => rm(join(path, "HEAD"))],
  ["whose objects are gone", (path: string) => rm(join(path, "objects"), { recursive: true })],
  ["whose branch is empty after a power cut", (path: string) => truncate(join(path, "refs/heads/main"), 0)],
  ["whose configuration is garbage", (path: string) => writeFile(join(path, "config"), "\0[[[")],
] as const)("a mirror %s heals while it runs and at the next start", async ([, damage], { place }) => {
  const { remote, mirrorPath, inMirror } = place;
  const mirror = place.mirror();
  await remote.commit({ files: manyFiles });
  await mirror.resolveBranch(main, never);
  await damage(mirrorPath);
  const next = await remote.commit();
  expect(await mirror.resolveBranch(main, never)).toBe(next);
  await damage(mirrorPath);
  expect(await place.mirror().resolveBranch(main, never)).toBe(next);
  await inMirror("fsck", "--full");
});

test("locks that a killed git left are removed at the next start, and nothing else is lost", async ({
  place,
}) => {
  const { remote, mirrorPath } = place;
  const replaced = await remote.commit();
  await place.mirror().resolveBranch(main, never);
  const next = await remote.commit({ amend: true });
  const locks = ["HEAD.lock", "packed-refs.lock", "config.lock", "refs/heads/main.lock"];
  for (const lock of locks) await writeFile(join(mirrorPath, lock), "");
  const mirror = place.mirror();
  expect(await mirror.resolveBranch(main, never)).toBe(next);
  // The remote has it no longer: it would be gone if the mirror had been fetched again.
  await remote.git("gc", "--quiet", "--prune=now");
  await mirror.ensureCommit(replaced, never);
  for (const lock of locks) await expect(access(join(mirrorPath, lock))).rejects.toThrow("ENOENT");
});

test("twenty who ask at once share one look and one fetch", async ({ place }) => {
  const { remote } = place;
  const mirror = place.mirror();
  const commit = await remote.commit();
  const commits = await Promise.all(Array.from({ length: 20 }, () => mirror.resolveBranch(main, never)));
  expect(new Set(commits)).toEqual(new Set([commit]));
  expect(counted(place.calls, "ls-remote")).toBeLessThanOrEqual(2);
  expect(counted(place.calls, "fetch")).toBeLessThanOrEqual(2);
});

test("mirrors of several processes on one directory do not disturb each other", async ({ place }) => {
  const { remote, inMirror } = place;
  // Each has its own state, as in a process of its own.
  const mirrors = Array.from({ length: 4 }, () => place.mirror({ keptCommits: 2 }));
  for (let round = 0; round < 4; round++) {
    const commit = await remote.commit({ amend: round % 2 === 1 });
    const commits = await Promise.all(mirrors.map((mirror) => mirror.resolveBranch(main, never)));
    expect(new Set(commits)).toEqual(new Set([commit]));
  }
  await inMirror("fsck", "--full");
});

test("a fetch that is aborted ends at once, leaves nothing running, and the next one works", async ({
  place,
}) => {
  const { remote, directory } = place;
  const commit = await remote.commit();
  const bin = join(directory, "bin");
  await mkdir(bin);
  // ssh never answers.
  await writeFile(join(bin, "ssh"), "#!/bin/sh\nexec sleep 1000\n", { mode: 0o755 });
  const hanging = place.mirror({
    url: "ssh://git@example.invalid/nixos.git",
    environment: { PATH: `${bin}:${environment.PATH}` },
  });
  const abort = new AbortController();
  const asked = hanging.resolveBranch(main, abort.signal);
  await expect.poll(() => counted(place.calls, "ls-remote")).toBe(1);
  abort.abort(new Error("enough"));
  await expect(asked).rejects.toThrow("enough");
  expect(await place.mirror().resolveBranch(main, never)).toBe(commit);
});

test("nothing that looks like an option or another transport runs a program", async ({ place }) => {
  const { directory } = place;
  const canary = join(directory, "canary");
  const nasty = [
    `--upload-pack=touch ${canary}`,
    `-u touch ${canary}`,
    `ext::sh -c touch% ${canary}`,
    `ssh://-oProxyCommand=touch ${canary}/x`,
    `ssh://-oProxyCommand=touch%20${canary}/x`,
    `file://--upload-pack=touch ${canary}`,
    "fd::17",
    `http://localhost/$(touch ${canary})`,
    "../../../etc",
  ];
  for (const url of nasty) {
    const outcome = await Promise.resolve()
      .then(() => place.mirror({ url }).resolveBranch(main, never))
      .catch((error: unknown) => error);
    expect({ url, ...Object(outcome) }).toMatchObject({
      url,
      name: "HomelabError",
      code: expect.stringMatching(/^(?:BAD_CONFIG|GIT_REMOTE)$/),
    });
  }
  for (const name of [...nasty, "a..b", "-x", "main:refs/heads/x", "+main", "@{-1}", "a b", "a\nb", "a*"]) {
    expect(() => parseBranchName(name)).toThrow("is not a valid branch name");
  }
  await expect(access(canary)).rejects.toThrow("ENOENT");
});

test.for([
  ["BatchMode=yes", {}],
  ["StrictHostKeyChecking=yes", {}],
  ["-i /keys/deploy", { sshKeyFile: "/keys/deploy" }],
  ["IdentitiesOnly=yes", { sshKeyFile: "/keys/deploy" }],
  ["UserKnownHostsFile=/keys/known", { knownHostsFile: "/keys/known" }],
] as const)("ssh is called with %s", async ([expected, credentials], { place }) => {
  const bin = join(place.directory, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "ssh"), '#!/bin/sh\necho "ssh: called with $*" >&2\nexit 255\n', { mode: 0o755 });
  const mirror = place.mirror({
    url: "ssh://git@example.invalid:2222/nixos.git",
    credentials,
    environment: { PATH: `${bin}:${environment.PATH}` },
  });
  await expect(mirror.resolveBranch(main, never)).rejects.toMatchObject({
    code: "GIT_REMOTE",
    message: expect.stringContaining(expected),
  });
});

const token = "s3cret/+token%value";

test("signs in over https with the token of a file", async ({ place }) => {
  const { remote, directory, calls } = place;
  const commit = await remote.commit();
  await using server = await startGitHttpsServer({
    root: join(directory, "server"),
    directory,
    username: "builder",
    token,
  });
  const tokenFile = join(directory, "token");
  await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  const mirror = place.mirror({
    url: `${server.url}/remote.git`,
    credentials: { username: "builder", tokenFile },
    environment: { ...environment, GIT_SSL_CAINFO: server.caFile },
  });
  expect(await mirror.resolveBranch(main, never)).toBe(commit);
  expect(calls.flat().filter((argument) => argument.includes(token))).toEqual([]);
});

test("a wrong token is said, and stands nowhere", async ({ place }) => {
  const { remote, directory, mirrorPath } = place;
  await remote.commit();
  await using server = await startGitHttpsServer({
    root: join(directory, "server"),
    directory,
    username: "git",
    token: "the right one",
  });
  const tokenFile = join(directory, "token");
  await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  const mirror = place.mirror({
    url: `${server.url}/remote.git`,
    credentials: { tokenFile },
    environment: { ...environment, GIT_SSL_CAINFO: server.caFile },
  });
  const error: unknown = await mirror.resolveBranch(main, never).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    kind: "refused",
    code: "GIT_DENIED",
    message: expect.stringMatching(/403|no access/),
    hint: expect.stringContaining("credentials"),
  });
  const shown = JSON.stringify([String(error), error]);
  expect(shown).not.toContain(token);
  expect(shown).not.toContain(Buffer.from(`git:${token}`).toString("base64"));
  await expect(run("grep", ["-rF", token, mirrorPath, `${mirrorPath}.home`])).rejects.toMatchObject({
    code: 1,
  });
});

test("a redirect does not take the token to another server", async ({ place }) => {
  const { remote, directory } = place;
  await remote.commit();
  const other = join(directory, "other");
  await mkdir(other);
  const common = { root: join(directory, "server"), directory: other, username: "git", token };
  await using thief = await startGitHttpsServer(common);
  await using server = await startGitHttpsServer({ ...common, directory, redirectTo: thief.url });
  const tokenFile = join(directory, "token");
  await writeFile(tokenFile, token, { mode: 0o600 });
  const mirror = place.mirror({
    url: `${server.url}/remote.git`,
    credentials: { tokenFile },
    environment: { ...environment, GIT_SSL_CAINFO: server.caFile },
  });
  await expect(mirror.resolveBranch(main, never)).rejects.toMatchObject({
    code: "GIT_REMOTE",
    hint: expect.stringContaining("redirects are not followed"),
  });
  expect(server.authorizations.length).toBeGreaterThan(0);
  expect(thief.authorizations).toEqual([]);
});

/** Writes an object as it is, whatever git thinks of it, and gives its hash. */
async function writeObject(
  { remote, directory }: Place,
  type: "tree" | "commit",
  content: string | Uint8Array,
): Promise<string> {
  const file = join(directory, "object");
  await writeFile(file, content);
  return remote.git("hash-object", "-t", type, "--literally", "-w", file);
}

/** A tree of entries `mode name`, all with this object, in this order. */
async function writeTree(place: Place, entries: readonly string[], hash: string): Promise<string> {
  const parts = entries.flatMap((entry) => [Buffer.from(`${entry}\0`), Buffer.from(hash, "hex")]);
  return writeObject(place, "tree", Buffer.concat(parts));
}

async function writeBlob({ remote, directory }: Place, content: string): Promise<string> {
  const file = join(directory, "blob");
  await writeFile(file, content);
  return remote.git("hash-object", "-w", file);
}

/** Puts a commit of this tree on a branch. */
async function pushTree({ remote }: Place, tree: string, branch: string): Promise<Commit> {
  const commit = parseCommit(await remote.git("commit-tree", "-m", "bad", tree));
  await remote.git("update-ref", `refs/heads/${branch}`, commit);
  return commit;
}

const submodule = (more: string, name = "lib"): string => `[submodule "${name}"]\n\tpath = lib\n${more}\n`;

test.for([
  ["hasDotgit", ["100644 .git"]],
  ["hasDotgit", ["100644 .GIT"]],
  ["hasDot", ["100644 ."]],
  ["hasDotdot", ["100644 .."]],
  ["fullPathname", ["100644 etc/passwd"]],
  ["duplicateEntries", ["100644 a", "120000 a"]],
  ["treeNotSorted", ["100644 b", "100644 a"]],
  ["gitmodulesSymlink", ["120000 .gitmodules"]],
  ["gitmodulesUrl", ["100644 .gitmodules"], submodule("\turl = -u./run-me")],
  ["gitmodulesName", ["100644 .gitmodules"], submodule("\turl = ./x", "../../hooks")],
  ["gitmodulesPath", ["100644 .gitmodules"], '[submodule "lib"]\n\tpath = -x\n\turl = ./x\n'],
  ["gitmodulesUpdate", ["100644 .gitmodules"], submodule("\turl = ./x\n\tupdate = !run-me")],
  ["gitattributesLineLength", ["100644 .gitattributes"], `${"a".repeat(3000)} text\n`],
] as const)(
  "refuses what is dangerous to check out: %s %j",
  async ([id, entries, content = ""], { place }) => {
    const hash = /^0{40}$/.test(content) ? content : await writeBlob(place, content);
    const tree = await writeTree(place, entries, hash);
    const tip = await pushTree(place, tree, "main");
    const refusal = {
      kind: "failed",
      code: "GIT_REFUSED",
      message: expect.stringMatching(
        new RegExp(`^git refuses commit ${tip} of file://.*: object [0-9a-f]{40}: ${id}: `),
      ),
    };
    const mirror = place.mirror();
    await expect(mirror.resolveBranch(main, never)).rejects.toMatchObject(refusal);
    await expect(mirror.ensureCommit(tip, never)).rejects.toMatchObject(refusal);
    expect(counted(place.calls, "fetch")).toBe(1);
  },
);

test("what the remote itself cannot read is not held against the commit", async ({ place }) => {
  // An entry without a name: not even read to be sent.
  const tip = await pushTree(place, await writeTree(place, ["100644 "], await writeBlob(place, "")), "main");
  const unread = {
    kind: "unavailable",
    code: "GIT_REMOTE",
    message: expect.stringContaining("empty filename"),
  };
  await expect(place.mirror().resolveBranch(main, never)).rejects.toMatchObject(unread);
  await expect(place.mirror().ensureCommit(tip, never)).rejects.toMatchObject(unread);
});

const people = (author: string, committer = "C <c@x> 1 +0000"): string =>
  `author ${author}\ncommitter ${committer}\n\nold\n`;

test.for([
  ["badDate", people("A <a@x> soon +0000")],
  ["badDateOverflow", people("A <a@x> 99999999999999999999 +0000")],
  ["zeroPaddedDate", people("A <a@x> 01 +0000")],
  ["badTimezone", people("A <a@x> 1 +51800")],
  ["missingSpaceBeforeDate", people("A <a@x>1 +0000")],
  ["badEmail", people("A <a@x 1 +0000")],
  ["missingEmail", people("A a@x 1 +0000")],
  ["missingSpaceBeforeEmail", people("A<a@x> 1 +0000")],
  ["missingNameBeforeEmail", people("<a@x> 1 +0000")],
  ["badName", people("A> <a@x> 1 +0000")],
  ["multipleAuthors", people("A <a@x> 1 +0000\nauthor B <b@x> 1 +0000")],
  ["missingAuthor", "committer C <c@x> 1 +0000\n\nold\n"],
  ["missingCommitter", "author A <a@x> 1 +0000\n\nold\n"],
  ["nulInCommit", `${people("A <a@x> 1 +0000")}a\0b\n`],
  ["zeroPaddedFilemode", people("A <a@x> 1 +0000"), "040000 directory"],
] as const)("takes what is only old or untidy: %s", async ([id, text, entry = "100644 file"], { place }) => {
  const { remote, inMirror, mirrorPath, directory } = place;
  const empty = await writeObject(place, "tree", "");
  const hash = entry.startsWith("0") ? empty : await writeBlob(place, "x");
  const tree = await writeTree(place, [entry], hash);
  const old = await writeObject(place, "commit", `tree ${tree}\n${text}`);
  // As in history: commits of today stand on it.
  const commit = parseCommit(await remote.git("commit-tree", "-p", old, "-m", "today", tree));
  await remote.git("update-ref", "refs/heads/main", commit);
  // Otherwise this would say nothing.
  const strict = ["-c", "fetch.fsckObjects=true", "fetch", "--quiet", `file://${remote.path}`, "main"];
  await run("git", ["init", "--quiet", "--bare", join(directory, "strict")], { env: gitEnvironment });
  const strictly = run("git", ["-C", join(directory, "strict"), ...strict], { env: gitEnvironment });
  await expect(strictly).rejects.toThrow(id);

  expect(await place.mirror().resolveBranch(main, never)).toBe(commit);
  // The next start does not take it for damage: what the remote has no longer is still here.
  await remote.git("update-ref", "refs/heads/main", await remote.git("commit-tree", "-m", "new", empty));
  await place.mirror().resolveBranch(main, never);
  expect(await inMirror("rev-parse", `${commit}^`)).toBe(old);
  await access(join(mirrorPath, "refs", "homelab-deploy", commit));
});

test("a branch that git refuses takes no other branch and no commit with it", async ({ place }) => {
  const { remote } = place;
  const logged: unknown[] = [];
  const log = {
    ...silentLog,
    warn: (fields: object, message: string) => logged.push({ ...fields, message }),
  };
  const mirror = place.mirror({ log });
  const first = await remote.commit();
  expect(await mirror.resolveBranch(main, never)).toBe(first);
  const bad = parseBranchName("bad");
  const refusedTip = await pushTree(
    place,
    await writeTree(place, ["100644 .git"], await writeBlob(place, "x")),
    bad,
  );
  const second = await remote.commit();
  expect(await mirror.resolveBranch(main, never)).toBe(second);

  // At the tip of a branch, and below it.
  const below = await remote.commit({ branch: "feature" });
  const tip = await remote.commit({ branch: "feature" });
  await mirror.ensureCommit(tip, never);
  await mirror.ensureCommit(below, never);
  const deep = await remote.commit({ branch: "trunk" });
  await remote.commit({ branch: "trunk" });
  await mirror.ensureCommit(deep, never);
  expect(logged).toMatchObject([{ branches: [expect.stringMatching(/^bad: .*hasDotgit/)], count: 1 }]);

  await expect(mirror.resolveBranch(bad, never)).rejects.toMatchObject({
    kind: "failed",
    code: "GIT_REFUSED",
    message: expect.stringContaining("hasDotgit"),
  });
  await expect(mirror.ensureCommit(refusedTip, never)).rejects.toMatchObject({ code: "GIT_REFUSED" });
  // It may be on the branch that cannot be read: nobody can say that it does not exist.
  await expect(mirror.ensureCommit(parseCommit("1".repeat(40)), never)).rejects.toMatchObject({
    kind: "unavailable",
    code: "GIT_REMOTE",
    message: expect.stringMatching(/is not on a branch that can be fetched, and bad cannot: .*hasDotgit/),
  });
  expect(await mirror.resolveBranch(main, never)).toBe(second);
});

test("forty branches at one refused commit cost a few fetches, and later requests none", async ({
  place,
}) => {
  const { remote, calls } = place;
  const mirror = place.mirror();
  await remote.commit();
  const tree = await writeTree(place, ["100644 .git"], await writeBlob(place, "x"));
  const refusedTip = await pushTree(place, tree, "bad-00");
  for (let number = 1; number < 40; number++) {
    await remote.git("update-ref", `refs/heads/bad-${number}`, refusedTip);
  }
  const deep = await remote.commit({ branch: "trunk" });
  await remote.commit({ branch: "trunk" });
  await mirror.ensureCommit(deep, never);
  // Three tips: together, then those of main and trunk or one of them with the refused one, then each.
  expect(counted(calls, "fetch")).toBeLessThanOrEqual(5);

  const next = await remote.commit({ branch: "trunk" });
  await remote.commit({ branch: "trunk" });
  calls.length = 0;
  await mirror.ensureCommit(next, never);
  expect(counted(calls, "fetch")).toBe(1);

  calls.length = 0;
  await expect(mirror.ensureCommit(refusedTip, never)).rejects.toMatchObject({ code: "GIT_REFUSED" });
  await expect(mirror.ensureCommit(parseCommit("1".repeat(40)), never)).rejects.toMatchObject({
    kind: "unavailable",
    code: "GIT_REMOTE",
    message: expect.stringContaining("(and 39 more) cannot"),
  });
  expect(counted(calls, "fetch")).toBe(0);

  // What is remembered is the commit, not the branch.
  for (const ref of (await remote.git("for-each-ref", "--format=%(refname)", "refs/heads/bad-*")).split(
    "\n",
  )) {
    await remote.git("update-ref", ref, next);
  }
  await expect(mirror.ensureCommit(parseCommit("1".repeat(40)), never)).rejects.toMatchObject({
    kind: "usage",
    code: "UNKNOWN_COMMIT",
  });
});

test("one refused branch among forty with tips of their own costs few fetches", async ({ place }) => {
  const { remote, calls } = place;
  const mirror = place.mirror();
  const tree = await writeTree(place, ["100644 .git"], await writeBlob(place, "x"));
  await pushTree(place, tree, "branch-17");
  const empty = await writeObject(place, "tree", "");
  for (let number = 0; number < 40; number++) {
    if (number === 17) continue;
    const commit = await remote.git("commit-tree", "-m", `commit ${number}`, empty);
    await remote.git("update-ref", `refs/heads/branch-${number}`, commit);
  }
  const deep = await remote.commit();
  await remote.commit();
  await mirror.ensureCommit(deep, never);
  // A tree of 41 leaves is 6 deep, and of each two halves one may have to be tried.
  expect(counted(calls, "fetch")).toBeLessThanOrEqual(13);
});

test("a branch whose objects the remote has lost takes no other with it", async ({ place }) => {
  const { remote } = place;
  await remote.commit();
  const deep = await remote.commit({ branch: "trunk" });
  const tip = await remote.commit({ branch: "trunk" });
  const blob = await writeBlob(place, "soon lost");
  await pushTree(place, await writeTree(place, ["100644 file"], blob), "lost");
  await rm(join(remote.path, "objects", blob.slice(0, 2), blob.slice(2)), { force: true });
  const mirror = place.mirror();
  await expect(mirror.resolveBranch(parseBranchName("lost"), never)).rejects.toMatchObject({
    code: "GIT_REMOTE",
  });
  await mirror.ensureCommit(deep, never);
  expect(await mirror.resolveBranch(parseBranchName("trunk"), never)).toBe(tip);
});

test("a broken mirror heals also when a branch is refused", async ({ place }) => {
  const { remote, mirrorPath } = place;
  const mirror = place.mirror();
  await remote.commit({ files: manyFiles });
  await mirror.resolveBranch(main, never);
  await pushTree(place, await writeTree(place, ["100644 .git"], await writeBlob(place, "x")), "bad");
  await truncatePacks(mirrorPath);
  const next = await remote.commit();
  expect(await mirror.resolveBranch(main, never)).toBe(next);
});

test("a shallow clone is refused by name, and is a repo like any other once it is whole", async ({
  place,
}) => {
  const { remote, directory, inMirror } = place;
  for (let i = 0; i < 3; i++) await remote.commit();
  const shallow = join(directory, "shallow");
  await run("git", ["clone", "--quiet", "--depth", "1", remote.url, shallow], { env: gitEnvironment });
  const mirror = place.mirror({ url: `file://${shallow}` });
  const tip = parseCommit(await remote.git("rev-parse", "main"));
  // Its commit is in our copy after the first fetch, and what it stands on is not.
  for (let i = 0; i < 2; i++) {
    await expect(mirror.resolveBranch(main, never)).rejects.toMatchObject({
      kind: "config",
      code: "GIT_SHALLOW",
      hint: expect.stringContaining("--unshallow") as string,
    });
    await expect(mirror.ensureCommit(tip, never)).rejects.toMatchObject({ code: "GIT_SHALLOW" });
  }
  await run("git", ["-C", shallow, "fetch", "--quiet", "--unshallow"], { env: gitEnvironment });
  expect(await mirror.resolveBranch(main, never)).toBe(tip);
  expect(await inMirror("rev-list", "--count", tip)).toBe("3");
  await inMirror("fsck", "--connectivity-only");
});

test("a commit that an earlier release kept of a shallow clone is fetched again with its history", async ({
  place,
}) => {
  const { remote, directory, inMirror } = place;
  for (let i = 0; i < 3; i++) await remote.commit();
  const tip = parseCommit(await remote.git("rev-parse", "main"));
  const shallow = join(directory, "shallow");
  await run("git", ["clone", "--quiet", "--depth", "1", remote.url, shallow], { env: gitEnvironment });
  await place
    .mirror({ url: `file://${shallow}` })
    .resolveBranch(main, never)
    .catch(() => undefined);
  await inMirror("update-ref", `refs/homelab-deploy/${tip}`, tip);
  expect(await place.mirror().resolveBranch(main, never)).toBe(tip);
  expect(await inMirror("rev-list", "--count", tip)).toBe("3");
});

test("a repository with SHA-256 object names is named as not supported", async ({ place }) => {
  const path = join(place.directory, "long-names");
  const git = async (...args: readonly string[]) => run("git", [...args], { env: gitEnvironment });
  await git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", path);
  await git("-C", path, "commit", "--quiet", "--allow-empty", "--message", "One");
  await expect(place.mirror({ url: `file://${path}` }).resolveBranch(main, never)).rejects.toMatchObject({
    kind: "config",
    code: "GIT_SHA256",
  });
});

const isRoot = process.getuid?.() === 0;

test("a repository of another user needs a word of the configuration, and has one", async ({
  place,
  skip,
}) => {
  skip(!isRoot, "only root can give a repository to somebody else");
  const { remote, directory } = place;
  const commit = await remote.commit();
  const checkout = join(directory, "theirs");
  await run("git", ["clone", "--quiet", remote.url, checkout], { env: gitEnvironment });
  await run("chown", ["-R", "1000:1000", checkout]);
  const url = `file://${checkout}`;
  const minds = await run("git", ["ls-remote", url], { env: gitEnvironment }).then(
    () => false,
    () => true,
  );
  skip(!minds, "this git fetches from a repository of another user (2.55 does)");
  await expect(place.mirror({ url }).resolveBranch(main, never)).rejects.toMatchObject({
    kind: "config",
    code: "GIT_OWNER",
  });
  expect(await place.mirror({ url, allowOtherOwner: true }).resolveBranch(main, never)).toBe(commit);
});

test("a mirror that was killed in the midst of its work, again and again, goes on", async ({ place }) => {
  const { remote, directory, mirrorPath, inMirror } = place;
  const script = join(directory, "resolve.mjs");
  const source = (path: string) => JSON.stringify(join(import.meta.dirname, "../../src", path));
  await writeFile(
    script,
    `import { createMirror } from ${source("git/mirror.ts")};
import { createExec } from ${source("process/create-exec.ts")};
const options = ${JSON.stringify({ repo: "nixos", url: remote.url, directory: mirrorPath, environment })};
console.log("started");
await createMirror({ exec: createExec(), ...options }).resolveBranch("main", new AbortController().signal);
`,
  );
  for (let round = 0; round < 12; round++) {
    await remote.commit({ files: { [`file-${round}`]: "x".repeat(200_000) }, amend: round % 3 === 2 });
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "ignore"] });
    const exited = once(child, "exit");
    await once(child.stdout, "data");
    // Each round a little later, from the first look at the mirror to behind the fetch.
    await Promise.race([exited, sleep(round * 12)]);
    child.kill("SIGKILL");
    await exited;
  }
  const last = await remote.commit();
  expect(await place.mirror().resolveBranch(main, never)).toBe(last);
  await inMirror("fsck", "--full");
});
