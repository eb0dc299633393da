import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { lockOf, node } from "../../../test/support/flake-locks.ts";
import { parseFlakeLock, printFlakeLock } from "./flake-lock.ts";
import type { LockUpdate } from "../locker.ts";
import { missingRefHint } from "../words/missing-ref.ts";
import { createLockUpdater, updateArguments } from "./update-lock.ts";

const base = printFlakeLock(lockOf({ a: node("a"), b: node("b") }));
/** Instead of a lock: there is none. */
const noLock = "";
const signal = new AbortController().signal;

/** Updates with a Nix that says this and, perhaps, writes another lock. */
async function updateWith(
  { stderr = "", ...result }: Partial<ExecResult> & { readonly stderr?: string },
  lock?: string,
  before = base,
): Promise<LockUpdate> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-update-lock-"));
  onTestFinished(async () => rm(directory, { recursive: true }));
  if (before !== noLock) await writeFile(join(directory, "flake.lock"), before);
  const exec: Exec = async (_, __, options) => {
    expect(options.cwd).toBe(directory);
    if (lock !== undefined) await writeFile(join(directory, "flake.lock"), lock);
    await options.onStderr?.(Buffer.from(stderr));
    return {
      exitCode: 0,
      killedBy: undefined,
      timedOut: false,
      stdout: "",
      stderrTail: "",
      durationMs: 1,
      ...result,
    };
  };
  return createLockUpdater({ exec, environment: {}, version: "2.8.0" }).updateLock(
    directory,
    { timeoutMs: 1000 },
    signal,
  );
}

const message = (level: number, text: string, raw = text.split("\n", 1)[0]): string =>
  `@nix ${JSON.stringify({ action: "msg", level, msg: `error: ${text}`, raw_msg: raw })}\n`;

test.each([
  ["2.8.0", undefined, ["flake", "update"], []],
  ["2.34.8", undefined, ["flake", "update"], []],
  ["2.8.0", ["a", "b"], ["flake", "lock"], ["--update-input", "a", "--update-input", "b"]],
  ["2.18.9", ["a"], ["flake", "lock"], ["--update-input", "a"]],
  ["2.19.0", ["a", "b"], ["flake", "update"], ["--", "a", "b"]],
  ["3.0", ["a"], ["flake", "update"], ["--", "a"]],
])("Nix %s updates %j in its own words", (version, inputs, start, end) => {
  const args = updateArguments(version, inputs);
  expect(args.slice(0, 2)).toEqual(start);
  expect(end.length === 0 ? [] : args.slice(-end.length)).toEqual(end);
  expect(args).toContain("--no-accept-flake-config");
  expect(args.filter((argument) => /commit-lock|^--(?:accept|impure)/.test(argument))).toEqual([]);
});

test("what is in the file decides, not the exit code", async () => {
  const other = printFlakeLock(lockOf({ a: node("a", undefined, 2), b: node("b") }));
  expect(await updateWith({}, other)).toEqual({ type: "updated", lock: other });
  expect(await updateWith({ exitCode: 1, stderr: message(0, "syntax error") }, other)).toMatchObject({
    type: "failed",
  });
  await expect(updateWith({}, "{}")).rejects.toMatchObject({ code: "FLAKE_LOCK_INVALID" });
});

const trace = (reason: string, input: string): string =>
  message(
    0,
    `${reason}\n\n       … while fetching the input 'x'\n\n       … while updating the flake input '${input}'`,
    reason,
  );

test.each([
  [
    "a server that limits requests",
    {
      exitCode: 1,
      stderr: trace(
        "unable to download 'https://api.github.com/repos/o/r/commits/HEAD': HTTP error 403 ('rate limit exceeded')",
        "nixpkgs",
      ),
    },
    { kind: "unavailable", input: "nixpkgs", hint: expect.stringContaining("access-tokens") as string },
  ],
  [
    "a repository that is gone",
    {
      exitCode: 1,
      stderr: trace(
        "unable to download 'https://api.github.com/repos/o/r/commits/HEAD': HTTP error 404",
        "a/leaf",
      ),
    },
    { kind: "unavailable", input: "a", hint: expect.stringContaining("still there") as string },
  ],
  [
    "git, with what git said",
    {
      exitCode: 1,
      stderr: `fatal: it is gone\nfatal: Could not read from remote repository.\n${trace("program 'git' failed with exit code 128", "b")}`,
    },
    {
      kind: "unavailable",
      input: "b",
      message:
        "the flake's input b cannot be updated: program 'git' failed with exit code 128: fatal: it is gone",
    },
  ],
  [
    "a flake that is broken",
    { exitCode: 1, stderr: message(0, "syntax error, unexpected end of file") },
    { kind: "failed" },
  ],
  [
    "time",
    { timedOut: true, exitCode: undefined },
    { kind: "unavailable", message: expect.stringContaining("longer than 1 seconds") as string },
  ],
  ["a signal", { killedBy: "SIGKILL", exitCode: undefined }, { kind: "unavailable" }],
  ["nothing that is said", { exitCode: 1 }, { kind: "unavailable" }],
  [
    "a remote that is down while Nix continues with what it has",
    {
      stderr:
        "warning: could not get HEAD ref for repository 'ssh://x/y'; using expired cached ref 'refs/heads/main'\n",
    },
    {
      kind: "unavailable",
      message: expect.stringContaining("could not get HEAD ref for repository 'ssh://x/y'") as string,
    },
  ],
  [
    "the same in Nix's own log format",
    {
      stderr: message(
        1,
        "could not update local clone of Git repository 'https://x/y'; continuing with the most recent version",
      ),
    },
    { kind: "unavailable" },
  ],
  [
    "a branch that is gone, of which Nix has an older state",
    {
      stderr: `fatal: couldn't find remote ref refs/heads/gone\n${message(1, "could not update local clone of Git repository 'https://x/y'; continuing with the most recent version")}`,
    },
    {
      kind: "failed",
      isStale: true,
      message: expect.stringMatching(/fatal: couldn't find remote ref refs\/heads\/gone$/) as string,
      hint: missingRefHint,
    },
  ],
  [
    "the same in Nix 2.26, where only git says anything",
    { stderr: "fatal: couldn't find remote ref refs/heads/gone\n" },
    { kind: "failed", isStale: true, hint: missingRefHint },
  ],
  [
    "a repository that is gone, of which Nix 2.26 has an older state",
    { stderr: "fatal: repository 'https://x/y/' not found\n" },
    {
      kind: "unavailable",
      isStale: true,
      message:
        "the flake's inputs cannot be updated: git could not fetch a repository: fatal: repository 'https://x/y/' not found",
    },
  ],
  [
    "a repository that is gone, in the words that Nix 2.26 has for a branch",
    {
      exitCode: 1,
      stderr: `fatal: repository 'https://x/y/' not found\n${trace("resolving Git reference 'main': revspec 'main' not found", "a")}`,
    },
    { kind: "unavailable", input: "a" },
  ],
  [
    "a branch that a working tree of this machine does not have",
    { exitCode: 1, stderr: trace("resolving Git reference 'gone': revspec 'gone' not found", "a") },
    { kind: "failed", input: "a", hint: missingRefHint },
  ],
  [
    "the same in Nix 2.34",
    {
      exitCode: 1,
      stderr: trace("resolving Git reference 'gone': revspec 'gone' not found (libgit2 error code = 4)", "a"),
    },
    { kind: "failed", input: "a", hint: missingRefHint },
  ],
  [
    "a branch that GitHub does not have",
    {
      exitCode: 1,
      stderr: trace(
        `unable to download 'https://api.github.com/repos/o/r/commits/gone': HTTP error 422\n\nresponse body:\n\n{"message": "No commit found for SHA: gone"}`,
        "a",
      ),
    },
    { kind: "failed", input: "a", hint: missingRefHint },
  ],
  [
    "a branch that GitLab does not have",
    {
      exitCode: 1,
      stderr: trace("No commits returned by GitLab API -- does the git ref really exist?", "a"),
    },
    { kind: "failed", input: "a", hint: missingRefHint },
  ],
  [
    "a branch that sourcehut does not have",
    { exitCode: 1, stderr: trace("in 'sourcehut:~o/r/gone', couldn't find ref 'gone'", "a") },
    { kind: "failed", input: "a", hint: missingRefHint },
  ],
])("an update can fail by %s", async (_, result, failure) => {
  expect(await updateWith(result)).toMatchObject({ type: "failed", failure });
});

test("a flake without inputs has no lock, and nothing to update", async () => {
  const result = await updateWith({}, undefined, noLock);
  expect(result.type === "updated" && parseFlakeLock(result.lock).nodes).toEqual({ root: {} });
});
