// Only commits that an allowed signer has signed are rolled out: real git, real keys of OpenSSH.
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test as base } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createRepository } from "../../src/git/create-repository.ts";
import { createCommitVerifier, type VerifyCommit } from "../../src/git/verify-commit.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { parseBranchName, parseCommit, parseRepoName, type Commit } from "../../src/protocol/names.ts";
import { createFleet } from "../support/fleet.ts";
import { pathOf, startPlayedFleet } from "../support/played-fleet.ts";

const run = promisify(execFile);
const never = new AbortController().signal;
const repo = parseRepoName("fleet");

const test = base
  .extend("directory", async ({}, { onCleanup }) => {
    const directory = await mkdtemp(join(tmpdir(), "homelab-signed-"));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    for (const name of ["kai", "stranger", "updater"]) {
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", join(directory, name)]);
    }
    const keyOf = async (name: string): Promise<string> => readFile(join(directory, `${name}.pub`), "utf8");
    await writeFile(
      join(directory, "allowed"),
      `kai@homelab.invalid namespaces="git" ${await keyOf("kai")}bot@homelab.invalid ${await keyOf("updater")}`,
    );
    return directory;
  })
  .extend("fleet", async ({ directory }) => createFleet(directory));

const place = (directory: string, url: string) => ({
  exec: createExec(),
  repo,
  url,
  directory: join(directory, "mirror.git"),
  environment: { PATH: process.env["PATH"] },
});

const verifierOf = (directory: string, url: string, list = "allowed"): VerifyCommit =>
  createCommitVerifier({
    ...place(directory, url),
    clock: systemClock,
    log: silentLog,
    allowedSigners: join(directory, list),
  });

/** Commits and pushes one more commit, with these settings of git. */
async function commit(directory: string, url: string, ...settings: readonly string[]): Promise<Commit> {
  const work = await mkdtemp(join(directory, "work-"));
  const git = async (...args: readonly string[]): Promise<string> =>
    (await run("git", ["-C", work, ...args], { env: { PATH: process.env["PATH"], HOME: directory } })).stdout;
  await git("clone", "--quiet", url, ".");
  const author = ["-c", "user.name=kai", "-c", "user.email=kai@homelab.invalid"];
  const sign = settings.length === 0 ? [] : ["-S"];
  const given = settings.flatMap((setting) => ["-c", setting]);
  await git(...author, ...given, "commit", "--quiet", "--allow-empty", ...sign, "-m", "one more");
  await git("push", "--quiet", "origin", "HEAD:main");
  return parseCommit((await git("rev-parse", "HEAD")).trim());
}
const signedBy = (directory: string, name: string): readonly string[] => [
  "gpg.format=ssh",
  `user.signingKey=${join(directory, name)}`,
];

test("a commit that somebody on the list has signed may be rolled out", async ({ directory, fleet }) => {
  await fleet.commit({ hosts: 1 });
  const signed = await commit(directory, fleet.url, ...signedBy(directory, "kai"));
  await verifierOf(directory, fleet.url)(signed, never);
});

test("nobody's, a stranger's, and one that another program has signed may not", async ({
  directory,
  fleet,
}) => {
  await fleet.commit({ hosts: 1 });
  const verify = verifierOf(directory, fleet.url);
  const unsigned = await commit(directory, fleet.url);
  await expect(verify(unsigned, never)).rejects.toMatchObject({ kind: "refused", code: "COMMIT_UNSIGNED" });
  const strange = await commit(directory, fleet.url, ...signedBy(directory, "stranger"));
  await expect(verify(strange, never)).rejects.toMatchObject({ kind: "refused", code: "COMMIT_NOT_ALLOWED" });
  // A program that says yes to everything, as somebody could have for his own. It reads all, or git may meet a closed pipe.
  const program = join(directory, "yes");
  await writeFile(
    program,
    "#!/bin/sh\ncat > /dev/null\necho '[GNUPG:] SIG_CREATED x' >&2\necho '-----BEGIN PGP SIGNATURE-----'\necho\necho eA==\necho '-----END PGP SIGNATURE-----'\n",
  );
  await chmod(program, 0o755);
  const other = await commit(
    directory,
    fleet.url,
    "gpg.format=openpgp",
    `gpg.program=${program}`,
    "user.signingKey=x",
  );
  await expect(verify(other, never)).rejects.toMatchObject({ kind: "refused", code: "COMMIT_NOT_ALLOWED" });
  const gone = parseCommit("d".repeat(40));
  await expect(verify(gone, never)).rejects.toMatchObject({ code: "UNKNOWN_COMMIT" });
});

test("what was changed after it was signed may not", async ({ directory, fleet }) => {
  await fleet.commit({ hosts: 1 });
  const signed = await commit(directory, fleet.url, ...signedBy(directory, "kai"));
  const work = await mkdtemp(join(directory, "work-"));
  await run("git", ["clone", "--quiet", fleet.url, work]);
  const { stdout } = await run("git", ["-C", work, "cat-file", "commit", signed]);
  await writeFile(join(work, "forged"), stdout.replace("one more", "one less"));
  const hashed = await run("git", ["-C", work, "hash-object", "-t", "commit", "-w", "forged"]);
  const forged = parseCommit(hashed.stdout.trim());
  await run("git", ["-C", work, "push", "--quiet", "origin", `${forged}:refs/heads/forged`]);
  await expect(verifierOf(directory, fleet.url)(forged, never)).rejects.toMatchObject({
    code: "COMMIT_NOT_ALLOWED",
  });
});

test("without its list it says so, and not that a commit is a stranger's", async ({ directory, fleet }) => {
  await fleet.commit({ hosts: 1 });
  const signed = await commit(directory, fleet.url, ...signedBy(directory, "kai"));
  await expect(verifierOf(directory, fleet.url, "nowhere")(signed, never)).rejects.toMatchObject({
    kind: "config",
    code: "BAD_CONFIG",
  });
});

test("commits of updates are signed with the configured key, and the same content is the same commit", async ({
  directory,
  fleet,
}) => {
  await fleet.commit({ hosts: 1 });
  const make = async (key: string | undefined): Promise<Commit> => {
    const signingKeyFile = key === undefined ? undefined : join(directory, key);
    const repository = createRepository({ ...place(directory, fleet.url), signingKeyFile });
    const parent = await repository.mirror.resolveBranch(parseBranchName("main"), never);
    const made = await repository.commit(
      {
        parent,
        files: new Map([["flake.lock", "new\n"]]),
        message: "flake.lock: update",
        author: { name: "bot", email: "bot@homelab.invalid" },
        date: new Date("2026-11-22T02:00:00Z"),
      },
      never,
    );
    return made;
  };
  const verify = verifierOf(directory, fleet.url);
  const signed = await make("updater");
  expect(await make("updater")).toBe(signed);
  await verify(signed, never);
  await expect(verify(await make(undefined), never)).rejects.toMatchObject({ code: "COMMIT_UNSIGNED" });
  await chmod(join(directory, "updater"), 0o644);
  await expect(make("updater")).rejects.toMatchObject({ kind: "config", code: "COMMIT_SIGNING_KEY" });
});

test(
  "the deployer rolls out what is signed, and says of the rest why not",
  { timeout: 300_000 },
  async ({ directory, fleet }) => {
    await fleet.commit({ hosts: 1 });
    await using played = await startPlayedFleet({
      hosts: { web01: { wave: 0 }, db01: {} },
      rules: { automatic: true, soakSeconds: 0, allowedSigners: join(directory, "allowed") },
      repos: { servers: { url: fleet.url } },
    });
    await played.build("a", "built", await commit(directory, fleet.url));
    await played.startDeployer();
    await expect
      .poll(() => played.deployerLog(), { timeout: 120_000 })
      .toContain("its commit is not verified");
    const refused = await played.run("deploy", "--all", "--yes");
    expect(refused, refused.stderr).toMatchObject({ exitCode: 4 });
    expect(refused.stderr).toContain("is not signed");
    expect(played.host("web01").seen).toEqual([]);

    await played.build("b", "built", await commit(directory, fleet.url, ...signedBy(directory, "kai")));
    await expect
      .poll(() => played.host("web01").state().running.path, { timeout: 120_000 })
      .toBe(pathOf("web01", "b"));
  },
);
