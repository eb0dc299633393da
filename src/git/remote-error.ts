// What to say when a remote did not give what was asked for. That it failed is decided by exit codes; whose fault that
// is, the remote's or the commit's, by the words of git's own checks. All other words are only for people.
import { HomelabError } from "../base/errors.ts";
import { plainText } from "../base/terminal-text.ts";
import type { Commit } from "../protocol/names.ts";
import { redact } from "../redact/redact.ts";
import type { ExecResult } from "../process/exec.ts";

const maxLength = 500;

/** A URL that can be shown: without user and password. */
const withoutUserinfo = (text: string): string => text.replace(/:\/\/[^/\s@]*@/g, "://");

/** Git's own words in one line: no controls, no userinfo, none of the secrets, at most 500 characters. */
export function gitWords(stderr: string, secrets: readonly string[] = []): string {
  const lines = withoutUserinfo(redact(plainText(stderr), secrets))
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const unique = [...new Set(lines)];
  const errors = unique.filter((line) => /^(?:fatal|error|remote|ssh|host key|.*denied)\b/i.test(line));
  const words = (errors.length > 0 ? errors : unique).join("; ");
  return words.length > maxLength ? `${words.slice(0, maxLength)}…` : words;
}

export interface FailedRemoteCall {
  readonly url: string;
  readonly result: ExecResult;
  readonly timeoutMs: number;
  /** To be taken out of what git says. */
  readonly secrets: readonly string[];
}

/** `unavailable` with code `GIT_REMOTE`: out of reach, or it refuses us. */
export function remoteError({ url, result, timeoutMs, secrets }: FailedRemoteCall): HomelabError {
  const words = gitWords(result.stderrTail, secrets);
  const because = result.timedOut
    ? `no answer within ${Math.round(timeoutMs / 1000)} s`
    : words === ""
      ? `git ended with ${result.killedBy ?? `exit code ${result.exitCode}`}`
      : words;
  return new HomelabError("unavailable", `cannot read ${withoutUserinfo(url)}: ${because}`, {
    code: "GIT_REMOTE",
    hint: hintFor(words),
  });
}

/**
 * Git's own line about an object that its checks refuse: `object <hash>: hasDotgit: contains '.git'`. What a server
 * says begins with `remote:`. A blob that is missing is no fault of the commit.
 */
const refusedObject =
  /^error: (?<words>object [0-9a-f]{40}(?:[0-9a-f]{24})?: (?!gitmodulesMissing|gitattributesMissing)[a-z]\w+: .*)$/m;

/**
 * `failed` with code `GIT_REFUSED` when it was git's check of objects that ended the fetch of a commit: the same
 * commit is refused again each time.
 */
export function refusalOf(
  { url, result, secrets }: Omit<FailedRemoteCall, "timeoutMs">,
  commit: Commit,
): HomelabError | undefined {
  const object = refusedObject.exec(result.stderrTail)?.groups?.["words"];
  if (object === undefined || result.exitCode === undefined || result.timedOut) return undefined;
  const words = gitWords(object, secrets);
  return new HomelabError("failed", `git refuses commit ${commit} of ${withoutUserinfo(url)}: ${words}`, {
    code: "GIT_REFUSED",
    hint: "what git refuses is dangerous to check out, or broken: make the commit, and what it stands on, without that object",
  });
}

function hintFor(words: string): string {
  if (/host key|known_hosts/i.test(words)) {
    return "add the host's key to the known hosts file: ssh-keyscan HOST, compared with what the host itself says";
  }
  if (
    /authentication failed|permission denied|could not read (?:username|password)|\b40[13]\b/i.test(words)
  ) {
    return "check the repo's credentials in the configuration, and that they may read the repository";
  }
  if (/could not resolve|timed out|refused|unreachable|failed to connect/i.test(words)) {
    return "check that the server is up and can be reached from this machine";
  }
  if (/error: 30[1278]/.test(words)) return "redirects are not followed: configure the URL that it moved to";
  return "check the repo's URL: git ls-remote URL";
}
