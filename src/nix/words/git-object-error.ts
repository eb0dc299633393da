// A git repository whose files are damaged, as a power cut leaves them: Nix keeps clones of what it fetches. By the words of
// git, which Nix before 2.20 runs for everything, and of libgit2, which newer ones use.

/** Errors of Nix about what is in a repository of git: `getting Git object '…': failed to parse loose object`. */
const repositoryError =
  /^(?:getting parent of Git commit|getting Git object(?: database)?|peeling Git object|parsing Git object|getting tree|opening Git repository|opening git repository|looking up (?:parent of |directory |file )?'|looking up HEAD|duplicating (?:object|directory) '|dupping tree entry|creating a (?:tree|blob)|iterating over \.gitmodules|resetting git mempack|creating (?:mempack|pack) backend|creating git packfile indexer|committing git packfile index)[^\n]*: /;

const damage =
  /failed to parse loose object|object not found|odb: |object is corrupt|corrupt(?:ed)? (?:loose )?(?:object|pack)|loose object .* is corrupt|object file .* is empty|failed to inflate|inflate: data stream error|unpack-objects failed|index-pack failed|not a tree object|invalid header|checksum mismatch|hash mismatch - expected|packfile .* (?:corrupt|invalid)|is far too short to be a packfile|bad object |unable to read (?:tree|sha1 file)|missing (?:blob|tree|commit) [0-9a-f]{40}/i;

export const isGitRepositoryError = (error: string): boolean => repositoryError.test(error.trim());

/** @param lines what git itself said, past Nix's log */
export const saysDamagedGitObjects = (error: string, lines: readonly string[]): boolean =>
  isGitRepositoryError(error)
    ? damage.test(error)
    : /\bgit\b/i.test(error) && [error, ...lines].some((line) => damage.test(line));
