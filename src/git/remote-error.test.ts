import fc from "fast-check";
import { expect, test } from "vitest";
import type { ExecResult } from "../process/exec.ts";
import { gitWords, isCutShort, remoteError } from "./remote-error.ts";

const failed = (stderrTail: string, facts: Partial<ExecResult> = {}): ExecResult => ({
  exitCode: 128,
  killedBy: undefined,
  timedOut: false,
  stdout: "",
  stderrTail,
  ...facts,
});

const errorFor = (result: ExecResult, secrets: readonly string[] = []) =>
  remoteError({ url: "https://git:pw@example.org/fleet.git", result, timeoutMs: 30_000, secrets });

test("says git's own words in one line, without the user in the URL", () => {
  const error = errorFor(
    failed("fatal: unable to access 'https://git:pw@example.org/fleet.git/': Could not resolve host\n"),
  );
  expect(error).toMatchObject({ kind: "unavailable", code: "GIT_REMOTE" });
  expect(error.message).toBe(
    "cannot read https://example.org/fleet.git: fatal: unable to access 'https://example.org/fleet.git/': Could not resolve host",
  );
  expect(error.hint).toContain("can be reached");
});

test("says how long it waited, and what a silent git ended with", () => {
  expect(errorFor(failed("", { timedOut: true })).message).toContain("no answer within 30 s");
  expect(errorFor(failed("", { exitCode: undefined, killedBy: "SIGKILL" })).message).toContain(
    "git ended with SIGKILL",
  );
  expect(errorFor(failed("")).message).toContain("git ended with exit code 128");
});

test.each([
  ["Host key verification failed.", "unavailable", "GIT_REMOTE", "known hosts"],
  ["git@example.org: Permission denied (publickey).", "refused", "GIT_DENIED", "credentials"],
  ["fatal: Authentication failed for 'https://example.org/'", "refused", "GIT_DENIED", "credentials"],
  [
    "fatal: could not read Username for 'https://example.org': terminal prompts disabled",
    "refused",
    "GIT_DENIED",
    "credentials",
  ],
  [
    "fatal: unable to access 'https://example.org/': The requested URL returned error: 403",
    "refused",
    "GIT_DENIED",
    "credentials",
  ],
  ["ssh: connect to host example.org port 22: Connection refused", "unavailable", "GIT_REMOTE", "reached"],
  ["ssh: is not in the PATH", "unavailable", "GIT_REMOTE", "install ssh"],
  ["ssh -F none: 1: ssh: not found", "unavailable", "GIT_REMOTE", "install ssh"],
  ["fatal: '/srv/x' does not appear to be a git repository", "unavailable", "GIT_REMOTE", "git ls-remote"],
  [
    "fatal: detected dubious ownership in repository at '/srv/x/.git'",
    "config",
    "GIT_OWNER",
    "allowOtherOwner",
  ],
])("%j is %s, and its hint speaks of %s", (words, kind, code, hint) => {
  const error = errorFor(failed(words));
  expect(error).toMatchObject({ kind, code });
  expect(error.hint).toContain(hint);
});

test("a branch that git leaves where it was, because the remote is shallow, is not one that was fetched", () => {
  const rejected = "warning: rejected refs/heads/main because shallow roots are not allowed to be updated\n";
  const result = failed(rejected, { exitCode: 0 });
  expect(isCutShort(result)).toBe(true);
  expect(errorFor(result)).toMatchObject({ kind: "config", code: "GIT_SHALLOW" });
});

test("says why, and not what git advises in general", () => {
  const said = `fatal: '/srv/x' does not appear to be a git repository
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.`;
  expect(errorFor(failed(said)).message).toBe(
    "cannot read https://example.org/fleet.git: fatal: '/srv/x' does not appear to be a git repository",
  );
});

test("whatever a server sends, the words are one short line without controls and without secrets", () => {
  const secret = "tok€n/1";
  const piece = fc.constantFrom(
    secret,
    "\u001b[31m",
    "\n",
    "\r",
    "remote: ",
    "x".repeat(400),
    "https://u:p@h/",
    "a",
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const words = gitWords(pieces.join(""), [secret]);
      expect(words).not.toContain(secret);
      expect(words).not.toContain("u:p");
      expect(words).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      expect(words.length).toBeLessThanOrEqual(501);
    }),
  );
});

test("a secret is in no form in which git, or a server, may repeat it", () => {
  const secret = "p&ss+w/rd 42";
  const forms = [secret, encodeURIComponent(secret), Buffer.from(`git:${secret}`).toString("base64")];
  for (const form of forms) {
    const words = gitWords(`fatal: remote error: it was sent ${form}\n`, [secret]);
    expect(words).toContain("[redacted]");
    expect(words).not.toContain(form);
  }
});

test("of a server that says nothing the hint is to look after it, and not after the URL", () => {
  expect(errorFor(failed("", { timedOut: true })).hint).toContain("server is up");
});
