// What to say when a remote did not give what was asked for. That it failed is decided by exit codes; whose fault that
// is, the remote's or the commit's, by the words of git's own checks. All other words are only for people.
import { explainCertificateError } from "../base/certificate-error.ts";
import { HomelabError } from "../base/errors.ts";
import { plainText } from "../base/terminal-text.ts";
import type { Commit } from "../protocol/names.ts";
import { redact } from "../redact/redact.ts";
import type { ExecResult } from "../process/exec.ts";
import { gitCauses, saysRefused } from "../process/git-cause.ts";

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
  const errors = gitCauses(unique);
  const words = (errors.length > 0 ? errors : unique).join("; ");
  return words.length > maxLength ? `${words.slice(0, maxLength)}…` : words;
}

export interface FailedRemoteCall {
  readonly url: string;
  readonly result: ExecResult;
  readonly timeoutMs: number;
  /** Secrets to be removed from git's messages. */
  readonly secrets: readonly string[];
  /** Whether it was a push; a fetch or a question otherwise. */
  readonly isPush?: boolean;
}

/** Git's words where it exits with 0 all the same, and leaves the branch where it was. */
const shallowRoots = /because shallow roots are not allowed to be updated/;

/** Whether a fetch got only the end of a history, which is then in no branch of ours. */
export const isCutShort = ({ stderrTail }: Pick<ExecResult, "stderrTail">): boolean =>
  shallowRoots.test(stderrTail);

/**
 * Why a remote did not give what was asked for.
 *
 * - `refused` with code `GIT_DENIED`: it refuses our credentials
 * - `config` with code `GIT_OWNER`: a local repository of another user; `GIT_SHALLOW`: a shallow clone
 * - `refused` with code `TLS_UNTRUSTED`: its certificate is not trusted
 * - `unavailable` with code `GIT_REMOTE`: unreachable, or anything else
 */
export function remoteError({
  url,
  result,
  timeoutMs,
  secrets,
  isPush = false,
}: FailedRemoteCall): HomelabError {
  const place = withoutUserinfo(url);
  if (isCutShort(result)) return shallowRemote(place);
  const words = gitWords(result.stderrTail, secrets);
  const because = result.timedOut
    ? `no answer within ${Math.round(timeoutMs / 1000)} s`
    : words === ""
      ? `git ended with ${result.killedBy ?? `exit code ${result.exitCode}`}`
      : words;
  const message = `cannot ${isPush ? "push to" : "read"} ${place}: ${because}`;
  if (/detected dubious ownership|is owned by someone else/i.test(words)) {
    return new HomelabError("config", message, {
      code: "GIT_OWNER",
      hint: "the repository belongs to another user than the one this runs as: set allowOtherOwner of the repo in the configuration to true, or change its owner",
    });
  }
  if (!result.timedOut && saysRefused(words)) {
    return new HomelabError("refused", message, {
      code: "GIT_DENIED",
      hint: `set credentials of the repo in the configuration (repos.….credentials), and check that they may ${isPush ? "push to" : "read"} the repository`,
    });
  }
  return (
    explainCertificateError(new Error(words), place) ??
    new HomelabError("unavailable", message, { code: "GIT_REMOTE", hint: hintFor(because) })
  );
}

/** Nix refuses such a repository as well, unless it is asked not to count its commits. */
export function shallowRemote(place: string): HomelabError {
  const path = place.startsWith("file://") ? place.slice("file://".length) : undefined;
  const advice = "use the repository that it was cloned from, or fetch the rest of its history";
  return new HomelabError("config", `${place} is a shallow clone: its history is not all there`, {
    code: "GIT_SHALLOW",
    hint: path === undefined ? advice : `${advice}: git -C ${path} fetch --unshallow`,
  });
}

/** A repository whose objects have the long names of SHA-256, which Nix up to 2.34 cannot read. */
export const longNamesError = (url: string): HomelabError =>
  new HomelabError("config", `${withoutUserinfo(url)} has SHA-256 object names, which are not supported`, {
    code: "GIT_SHA256",
    hint: "use a repository with SHA-1 object names: git init --object-format=sha1",
  });

/**
 * Git's own line about an object that its checks refuse: `object <hash>: hasDotgit: contains '.git'`. What a server
 * says begins with `remote:`. The commit is not to blame for a missing blob.
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
    return "add the host's key to the known hosts file: ssh-keyscan HOST, and compare it with the key on the host itself";
  }
  if (/could not resolve|timed out|^no answer within|refused|unreachable|failed to connect/i.test(words)) {
    return "check that the server is up and can be reached from this machine";
  }
  if (/ssh: (?:not found|command not found|is not in the PATH)|cannot run ssh/i.test(words))
    return "install ssh (openssh-client), or put it into the PATH";
  if (/error: 30[1278]/.test(words)) return "redirects are not followed: configure the URL that it moved to";
  return "check the repo's URL: git ls-remote URL";
}
