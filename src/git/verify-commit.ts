// Whether a commit of a repo is signed by somebody on a list. Git itself looks, with the list in OpenSSH's format; nothing else
// about git's configuration counts.
import { access, constants } from "node:fs/promises";
import { HomelabError } from "../base/errors.ts";
import type { Commit } from "../protocol/names.ts";
import { createGitCommand } from "./git-command.ts";
import { createMirror, type MirrorOptions } from "./mirror.ts";
import { gitWords } from "./remote-error.ts";

export interface CommitVerifierOptions extends MirrorOptions {
  /** Absolute path of the file with the allowed signers. */
  readonly allowedSigners: string;
}

/** @throws HomelabError `refused` unless one of the allowed signers has signed it; others where that cannot be determined */
export type VerifyCommit = (commit: Commit, signal: AbortSignal) => Promise<void>;

const verifyTimeoutMs = 30_000;

/** Signatures of another kind than OpenSSH's are signed by nobody on the list: no other program looks at them. */
const settings = [
  "gpg.format=ssh",
  "gpg.program=false",
  "gpg.openpgp.program=false",
  "gpg.x509.program=false",
];

export function createCommitVerifier(options: CommitVerifierOptions): VerifyCommit {
  const { allowedSigners, repo, credentials = {} } = options;
  const mirror = createMirror(options);
  const git = createGitCommand({ ...options, credentials });
  return async (commit, signal) => {
    // Without the list git would say the same as for a stranger.
    await requireReadable(allowedSigners);
    await mirror.ensureCommit(commit, signal);
    const list = `gpg.ssh.allowedSignersFile=${allowedSigners}`;
    const given = [...settings, list].flatMap((setting) => ["-c", setting]);
    const limits = { signal, timeoutMs: verifyTimeoutMs };
    const { exitCode, stderrTail } = await git.read([...given, "verify-commit", "--raw", commit], limits);
    if (exitCode === 0) return;
    const { stdout } = await git.read(["cat-file", "commit", commit], limits);
    if (!isSigned(stdout)) {
      throw new HomelabError("refused", `commit ${commit.slice(0, 7)} of ${repo} is not signed`, {
        code: "COMMIT_UNSIGNED",
        hint: "sign it with a key in allowedSigners (git commit -S, gpg.format = ssh), push it, and build it",
      });
    }
    const words = gitWords(stderrTail);
    throw new HomelabError(
      "refused",
      `commit ${commit.slice(0, 7)} of ${repo} is not signed by an allowed signer: ${words === "" ? "it has no signature of OpenSSH" : words}`,
      {
        code: "COMMIT_NOT_ALLOWED",
        hint: `add the signer to ${allowedSigners} if that is right, or have somebody on that list sign a commit`,
      },
    );
  };
}

/** @param text of a commit: headers, an empty line, and its message */
const isSigned = (text: string): boolean => /^gpgsig(?:-sha256)? /m.test(text.split("\n\n", 1)[0] ?? "");

async function requireReadable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    throw new HomelabError("config", `the file with the allowed signers cannot be read: ${file}`, {
      code: "BAD_CONFIG",
      hint: "set allowedSigners to a file that the deployer's user may read",
      cause: error,
    });
  }
}
