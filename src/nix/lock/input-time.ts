// `lastModified` of a lock is a number that nobody vouches for: a commit's date, the newest mtime of a directory or an
// archive, or a stand-in for one.

/**
 * Before it there are only stand-ins: 0 and 1 (files of the Nix store), 1980-01-01 (zip, and `SOURCE_DATE_EPOCH` of
 * nixpkgs) and 1985-10-26 (archives of npm).
 */
const earliest = Date.UTC(1990, 0, 1) / 1000;
/** A fixed moment and not the clock's, so that the same lock says the same on every machine and day. */
const latest = Date.UTC(2100, 0, 1) / 1000;

/** When the state of an input was made, in seconds since 1970; undefined where its lock has no time that says so. */
export const usableTime = (lastModified: number | undefined): number | undefined =>
  lastModified !== undefined && lastModified >= earliest && lastModified < latest ? lastModified : undefined;
