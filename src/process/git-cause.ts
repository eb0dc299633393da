// Which of the lines that git printed says why it failed. Git adds general advice behind the cause, and each program
// around another one adds that it failed too.
const causes = /^(?:fatal|error|remote|ssh|host key|.*denied)\b/i;

/** Progress, which Nix since 2.20 has git print of a repository that it can read. */
const progress = /^remote: (?:Enumerating|Counting|Compressing|Resolving|Total) /;

/** What git, or a submodule's git, says behind a cause, or where it has nothing better to say. */
const general = [
  /^fatal: could not read from remote repository\.?$/i,
  /^fatal: the remote end hung up unexpectedly$/i,
  /^fatal: (?:early EOF|fetch-pack: invalid index-pack output|index-pack failed)$/i,
  /^fatal: clone of '.*' into submodule path '.*' failed$/i,
  /^fatal: fetched in submodule path '.*', but it did not contain [0-9a-f]+\./i,
  // Nix, where it could not find out which branch a remote is on.
  /^fatal: Refusing to point HEAD outside of refs\/$/i,
  /^error: (?:program '|failed to fetch git repository)/i,
] as const;

const isCause = (line: string): boolean => causes.test(line) && !progress.test(line);

/** The lines that name the cause; general ones only if there are no others. */
export function gitCauses(lines: readonly string[]): readonly string[] {
  const found = [...new Set(lines.map((line) => line.trim()).filter(isCause))];
  const telling = found.filter((line) => !general.some((pattern) => pattern.test(line)));
  return telling.length > 0 ? telling : found;
}

/** Our own answer to git, which then only says that it got none. */
const unreadableSecret = /^fatal: could not read password: the file /;

/** The last of them: git may have failed before where that was to be expected. */
export function gitCause(lines: readonly string[]): string | undefined {
  const found = gitCauses(lines);
  return found.findLast((line) => unreadableSecret.test(line)) ?? found.at(-1);
}

/**
 * Whether a remote refuses our credentials, by the words of git, of ssh, and of servers: nothing that a retry changes.
 * A repository that is private is `not found` for many servers, and nobody can tell which it is.
 */
export const saysRefused = (words: string): boolean =>
  /authentication failed|permission denied|could not read (?:username|password)|access denied|\berror: 40[13]\b|\bHTTP error 40[13]\b/i.test(
    words,
  );
