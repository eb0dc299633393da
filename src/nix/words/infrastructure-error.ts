// Which errors of Nix are not the fault of what is evaluated, by their words in Nix 2.8 to 2.34. Each pattern is
// anchored to where Nix puts it. A host can still throw these very words: see `evaluate`, which tells them apart.
import { isGitRepositoryError } from "./git-object-error.ts";

const infrastructure = [
  // The daemon: not running, restarted, overloaded.
  /^cannot connect to (?:socket|daemon) at /,
  /^opening a connection to remote store .* previously failed/,
  /^Nix daemon disconnected unexpectedly/,
  /^unexpected end-of-file$/,
  /^(?:reading from|writing to) (?:file|socket): /,
  // What is to be downloaded: flake inputs, builtins.fetchurl.
  /^unable to (?:download|check) '/,
  // The same of a tarball, as also `github:` inputs are, since 2.20: it is unpacked while it comes.
  /^Failed to open archive \(Source threw exception: error: unable to download '/,
  // A program that Nix reads a tree from, such as `git archive`, was killed or could not work; or where it unpacks
  // the tree has no room. libarchive has no better words for the latter.
  /^Failed to open archive \(Source threw exception: error: program '(?:[^']*\/)?(?:git|hg|ssh)' failed/i,
  /^failed to extract archive \((?:Write failed|Source threw exception: .*|.*No space left on device.*)\)$/i,
  /^cannot read file '.*' from tarball$/,
  /^(?:Failed to fetch git repository|failed to fetch|Cannot find Git revision) /i,
  // What Nix itself runs: git, hg, ssh, a post-build-hook. Code that is evaluated runs no program.
  /^program '[^']*' failed/,
  /^(?:fatal: |error: )?(?:unable to access|Could not resolve host|Could not read from remote repository)/i,
  /^fetching Git repository '.*' (?:failed|timed out)/,
  /^(?:resolving|getaddrinfo).*: (?:Temporary failure in name resolution|Name or service not known)/,
  // Since 2.20, of a repository that could not be fetched, and of a branch that it does not have.
  /^resolving Git reference '.*': revspec '.*' not found(?: \(libgit2 error code = -?\d+\))?$/,
  /^Git repository ".*" does not exist\.?$/,
  /^repository path '.*' is not owned by current user$/,
  // The store and its database.
  /^path '\/[^']*' is not valid$/,
  /^(?:executing|creating|opening|querying|cannot open) SQLite .*/i,
  /^SQLite database '.*' is (?:busy|not owned)/,
  /: database or disk is full|: database disk image is malformed/,
  /^(?:opening lock file|acquiring|creating directory|creating symlink|renaming|committing transaction)\b.*: /,
  // The words of the operating system behind any of Nix's own.
  /: (?:No space left on device|Disk quota exceeded|Input\/output error|Read-only file system|Too many open files(?: in system)?|Cannot allocate memory|Resource temporarily unavailable|Stale file handle)$/,
  /^interrupted by the user$/,
] as const;

/** Whether these words of an error, without its trace, can be those of a fault of machine, network or store. */
export const looksLikeInfrastructure = (error: string): boolean => {
  const firstLine = error.trim().split("\n", 1)[0] ?? "";
  return isGitRepositoryError(firstLine) || infrastructure.some((pattern) => pattern.test(firstLine.trim()));
};
