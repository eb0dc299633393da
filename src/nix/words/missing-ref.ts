// Whether the remote of a flake's input answered, and does not have the branch or tag that is asked for: retrying
// does not change that. A missing repository is not such an answer: it may be private, or its server half up.

const ofGit = [
  /\bfatal: couldn't find remote ref /i,
  // About a working tree on this machine, of which Nix fetches nothing: 2.8, and since 2.20. If git could not fetch, the
  // latter is printed too, followed by git's own message.
  /\bfatal: ambiguous argument '[^']*': unknown revision or path\b/i,
  /^resolving Git reference '[^']*': revspec '[^']*' not found(?: \(libgit2 error code = -?\d+\))?$/,
  // sourcehut
  /^in '[^']*', couldn't find ref '/,
] as const;

/** GitHub answers 422, and 404 where there is no such repository, or none for us. */
const ofServers = [
  /^unable to download '[^']*\/commits\/[^']*': HTTP error 422\b/,
  /^No commits returned by GitLab API/,
  /^unable to download '[^']*\/repository\/commits\?[^']*': HTTP error 404\b[\s\S]*\b404 (?:Commit|Reference|Tree) Not Found\b/,
] as const;

/**
 * By the words of Nix 2.8 to 2.34.
 *
 * @param error of Nix, with what the server sent
 * @param message the same in a line, with what git said
 */
export const saysMissingRef = (error: string, message = error): boolean =>
  ofGit.some((pattern) => pattern.test(message.trim())) ||
  ofServers.some((pattern) => pattern.test(error.trim()));

export const missingRefHint =
  "its remote answers and does not have this branch or tag, so it was renamed or deleted: change the input's url in flake.nix";
