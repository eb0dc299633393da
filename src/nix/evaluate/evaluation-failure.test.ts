import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firstLine } from "../../base/lines.ts";
import { type EvaluatorEnd, evaluationFailure } from "./evaluation-failure.ts";
import { createEvaluationLogReader, type EvaluationLog } from "./evaluation-log.ts";

const versions = ["2.8.0", "2.26.3", "2.34.8"] as const;
const fixtures = join(import.meta.dirname, "../../../test/fixtures/nix-logs");

function logOf(stderr: string): EvaluationLog {
  const reader = createEvaluationLogReader();
  reader.write(Buffer.from(stderr));
  return reader.end();
}

const failed = (end: Partial<EvaluatorEnd> & { readonly stderr?: string } = {}) =>
  evaluationFailure({
    result: { exitCode: 1, killedBy: undefined, timedOut: false },
    log: logOf(end.stderr ?? ""),
    outOfMemoryKills: 0,
    limits: { timeoutMs: 900_000, maxMemoryBytes: 1024 ** 3 },
    ...end,
  });

const ownError = (text: string): string =>
  `@nix ${JSON.stringify({ action: "msg", column: null, file: null, level: 0, line: null, msg: `\u001b[31;1merror:\u001b[0m ${text}`, raw_msg: text })}\n`;
const otherMessage = (text: string): string =>
  `@nix ${JSON.stringify({ action: "msg", level: 0, msg: `\u001b[31;1merror:\u001b[0m ${text}` })}\n`;

test.each(
  versions.flatMap((version) => [
    { version, log: "eval_throw", message: "host host01: this option does not exist" },
    {
      version,
      log: "eval_abort",
      message: "evaluation aborted with the following error message: 'host host01: aborted'",
    },
    { version, log: "eval_infinite", message: "infinite recursion encountered" },
    { version, log: "eval_missing", message: "attribute 'missingAttribute' missing" },
    {
      version,
      log: "ifd_denied",
      message: expect.stringMatching(
        /^cannot build '.*' during evaluation because the option 'allow-import-from-derivation' is disabled; allowImportFromDerivation of the repo .* enables it$/,
      ) as string,
    },
  ]),
)("Nix $version: $log is the host's own error", ({ version, log, message }) => {
  const failure = failed({ stderr: readFileSync(join(fixtures, version, `${log}.log`), "utf8") });
  expect(failure.cause).toBe("error");
  // With its place in front.
  expect(firstLine(failure.message).replace(/^\S+:\d+:\d+: /, "")).toEqual(message);
  expect(failure.details).not.toMatch(/\u001b|^error:/);
  expect(failure.details).toContain(
    log === "eval_missing"
      ? "missing = x: ({ }).missingAttribute;"
      : firstLine(failure.message)
          .split(": ")
          .at(-1)
          ?.replace(/; allowImport.*/, ""),
  );
});

test.each([
  "cannot write modified lock file of flake 'git+file:///m?rev=1' (use '--no-write-lock-file' to ignore)",
  "flake 'git+file:///m?rev=1' requires lock file changes but they're not allowed due to '--no-update-lock-file'",
])("a lock that lacks an input is said in words that help: %s", (text) => {
  expect(failed({ stderr: ownError(text) })).toMatchObject({
    cause: "error",
    message: expect.stringMatching(
      /^flake.lock does not fit flake.nix: .* nix flake lock, and commit it$/,
    ) as string,
    details: expect.stringContaining(text) as string,
  });
});

test.each([
  // 2.8 and 2.26, of a merge that was committed with its conflict.
  otherMessage(
    "[json.exception.parse_error.101] parse error at line 1, column 1: syntax error while parsing value - invalid literal; last read: '<'",
  ),
  // These and 2.34, of a list.
  otherMessage("[json.exception.type_error.306] cannot use value() with array"),
])("a lock that is not JSON is no fault of the infrastructure: %s", (stderr) => {
  expect(failed({ stderr })).toMatchObject({
    cause: "error",
    message: expect.stringMatching(
      /^Nix cannot read flake\.lock, or other JSON: \[json\.exception/,
    ) as string,
  });
});

test.each(
  versions.flatMap((version) => [`${version}/our_gone_git_input`, `${version}/our_gone_tarball_input`]),
)("an input that cannot be fetched is an infrastructure fault: %s", (log) => {
  const failure = failed({ stderr: readFileSync(join(fixtures, `${log}.log`), "utf8") });
  expect(failure).toMatchObject({ cause: "infra" });
});

test("a trace is not an error", () => {
  for (const version of versions) {
    const log = logOf(readFileSync(join(fixtures, version, "trace.log"), "utf8"));
    expect(log.error).toBeUndefined();
  }
});

test.each([
  ["unable to download 'https://api.github.com/x': Could not resolve host: api.github.com (6)"],
  ["unable to download 'https://github.com/x.tar.gz': HTTP error 502"],
  ["cannot connect to socket at '/nix/var/nix/daemon-socket/socket': Connection refused"],
  ["opening a connection to remote store 'daemon' previously failed"],
  ["Nix daemon disconnected unexpectedly (maybe it crashed?)"],
  ["writing to file: No space left on device"],
  ["cannot link '/nix/store/.links/x' to '/nix/store/y': No space left on device"],
  ["executing SQLite statement 'insert': database or disk is full (in '/nix/var/nix/db/db.sqlite')"],
  ["SQLite database '/nix/var/nix/db/db.sqlite' is busy"],
  ["program 'git' failed with exit code 128"],
  ["program '/etc/nix/post-build-hook' failed with exit code 1"],
  ["Failed to fetch git repository https://git.lan/x : failed to resolve address for git.lan"],
  ["failed to extract archive (Source threw exception: error: program 'git' failed with exit code 255)"],
  ["failed to extract archive (Write failed)"],
  ["cannot read file 'pkgs/top-level/all-packages.nix' from tarball"],
  ["resolving Git reference 'main': revspec 'main' not found"],
  ["Cannot find Git revision '00' in ref 'refs/homelab-deploy/00' of repository 'file:///m'!"],
  ["path '/nix/store/0ld9b0qfyhgzgiqcw3z1rhhf2jzcjs9i-source' is not valid"],
  ["opening lock file '/nix/var/nix/db/big-lock': Permission denied"],
  ["interrupted by the user"],
])("an infrastructure fault: %s", (text) => {
  expect(failed({ stderr: ownError(text) })).toMatchObject({ cause: "infra", message: text });
});

test.each([
  "unable to download 'https://github.com/x.tar.gz': HTTP error 503",
  "program 'git' failed due to signal 9 (Killed)",
])("an infrastructure fault while a tarball is unpacked: %s", (text) => {
  const stderr = ownError(`Failed to open archive (Source threw exception: error: ${text})`);
  expect(failed({ stderr })).toMatchObject({ cause: "infra", message: text });
});

test.each([
  ["Connection refused"],
  ["host web: No space left on device is what my service says when it starts"],
  ["I was unable to download 'x'"],
  ["evaluation aborted with the following error message: 'unable to download 'x''"],
  ["NAR hash mismatch in input 'github:NixOS/nixpkgs', expected 'a', got 'b'"],
  ["getting status of '/nix/store/x-source/does-not-exist.nix': No such file or directory"],
  ["access to absolute path '/etc' is forbidden in pure eval mode"],
  ["out of memory"],
  ["Failed to open archive (Unrecognized archive format)"],
])("a host's own error: %s", (text) => {
  expect(failed({ stderr: ownError(text) })).toMatchObject({ cause: "error", message: text });
});

test("says what git said, when git failed", () => {
  const stderr = `fatal: unable to access 'https://git.lan/': Could not resolve host\n${ownError("program 'git' failed with exit code 128")}`;
  expect(failed({ stderr })).toMatchObject({
    cause: "infra",
    message:
      "program 'git' failed with exit code 128: fatal: unable to access 'https://git.lan/': Could not resolve host",
  });
});

test("a stack overflow comes past Nix's log format and is the host's own error", () => {
  const stderr = "error: stack overflow (possible infinite recursion)\n";
  expect(failed({ stderr })).toMatchObject({
    cause: "error",
    message: "stack overflow (possible infinite recursion)",
  });
});

test("the heap's limit is a lack of memory", () => {
  const stderr = `GC Warning: Out of Memory! Heap size: 255 MiB. Returning NULL!\n${otherMessage("out of memory")}`;
  for (const said of [stderr, otherMessage("out of memory")]) {
    expect(failed({ stderr: said })).toMatchObject({
      cause: "out-of-memory",
      message: "evaluation needs more than 1024 MiB of memory",
    });
  }
});

test("a message that only looks like an error of Nix is not taken for one", () => {
  const stderr = ownError("attribute 'x' missing") + otherMessage("unable to download 'forged'");
  expect(failed({ stderr })).toMatchObject({ cause: "error", message: "attribute 'x' missing" });
});

test.each([
  // Perhaps for what others held.
  ["SIGKILL", 1, "infra"],
  ["SIGKILL", 0, "infra"],
  ["SIGTERM", 0, "infra"],
  ["SIGSEGV", 0, "error"],
] as const)(
  "an evaluator ended by %s with %i kills of the kernel is %s",
  (killedBy, outOfMemoryKills, cause) => {
    const result = { exitCode: undefined, killedBy, timedOut: false };
    expect(failed({ result, outOfMemoryKills }).cause).toBe(cause);
  },
);

test("a timeout is one whatever the evaluator said and however it ended", () => {
  const result = { exitCode: undefined, killedBy: "SIGKILL", timedOut: true };
  expect(failed({ result, outOfMemoryKills: 1, stderr: ownError("interrupted by the user") })).toMatchObject({
    cause: "timed-out",
    message: "evaluation took longer than 900 seconds",
  });
});

test("silence is an infrastructure fault, never a host's", () => {
  expect(failed()).toMatchObject({ cause: "infra" });
});

test("settings of a flake's nixConfig that Nix ignores are named, each once, in the words of 2.8 and of 2.26", () => {
  const reader = createEvaluationLogReader();
  const warned = (text: string): string => `@nix ${JSON.stringify({ action: "msg", level: 1, msg: text })}\n`;
  const ignoring = (name: string) => `warning: ignoring untrusted flake configuration setting '${name}'`;
  for (const text of [
    ignoring("extra-substituters"),
    ignoring("extra-substituters"),
    `\u001b[35;1mwarning:\u001b[0m ignoring untrusted flake configuration setting 'post-build-hook'.\nPass '--accept-flake-config' to trust it`,
    `trace: ${ignoring("never")}`,
  ]) {
    reader.write(Buffer.from(warned(text)));
  }
  expect(reader.end().ignoredSettings).toEqual(["extra-substituters", "post-build-hook"]);
});

test("a remote that refuses our credentials is told from one that cannot be reached", () => {
  const git = (said: string) =>
    failed({ stderr: `${said}\n${ownError("program 'git' failed with exit code 128")}` });
  const refused = git("fatal: could not read Username for 'https://git.lan': terminal prompts disabled");
  expect(refused).toMatchObject({
    cause: "denied",
    message: expect.stringContaining("inputs.credentials") as string,
  });
  expect(git("fatal: unable to access 'https://git.lan/': Could not resolve host: git.lan").cause).toBe(
    "infra",
  );
});
