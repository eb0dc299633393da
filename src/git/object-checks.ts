// Which of git's checks of fetched objects refuse them (git-fsck(1), "FSCK MESSAGES").

/**
 * What old or careless programs wrote into commits and trees, and what no checkout is affected by: people, dates, and
 * how the mode of a file is written. Histories are full of it, and cannot be changed.
 *
 * Everything else stays an error, because Nix and git check out what is fetched here: names that leave their
 * directory or replace `.git` (hasDot, hasDotdot, hasDotgit, fullPathname, emptyName), trees that hide an entry behind
 * another of the same name (duplicateEntries, treeNotSorted, nullSha1), all of gitmodules* and gitattributes*, and
 * objects that are broken or not what they claim to be. In a fetch git takes its warnings for errors as well.
 */
const harmless = [
  "badDate",
  "badDateOverflow",
  "badEmail",
  "badName",
  "badTimezone",
  "missingAuthor",
  "missingCommitter",
  "missingEmail",
  "missingNameBeforeEmail",
  "missingSpaceBeforeDate",
  "missingSpaceBeforeEmail",
  "multipleAuthors",
  "nulInCommit",
  "zeroPaddedDate",
  "zeroPaddedFilemode",
] as const;

/** Git only warns of a name that it does not know (fetch-pack.c), so these suit every version. */
export const objectChecks: Readonly<Record<string, string>> = {
  "transfer.fsckObjects": "true",
  ...Object.fromEntries(harmless.map((message) => [`fetch.fsck.${message}`, "ignore"])),
};
