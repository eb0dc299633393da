import { HomelabError } from "../../base/errors.ts";
import type { RootedCommit } from "../../nix/gc-roots.ts";

/**
 * By the first characters of its hash, at least 7.
 *
 * @throws HomelabError `usage` `BAD_NAME`, `UNKNOWN_COMMIT` or `AMBIGUOUS_COMMIT`
 */
export function findRooted(commits: readonly RootedCommit[], text: string): RootedCommit {
  if (!/^[0-9a-f]{7,40}$/.test(text)) {
    throw new HomelabError("usage", `${JSON.stringify(text.slice(0, 80))} is not a commit`, {
      code: "BAD_NAME",
      hint: "give the first characters of its hash, at least 7; cache retain --plan lists them",
    });
  }
  const found = commits.filter(({ commit, variant }) => variant === undefined && commit.startsWith(text));
  const [only] = found;
  if (only === undefined) throw notRooted(text);
  if (found.length > 1) {
    throw new HomelabError("usage", `${text} begins ${found.length} commits that are rooted here`, {
      code: "AMBIGUOUS_COMMIT",
      hint: `give more of it: ${found.map(({ repo, commit }) => `${repo}@${commit}`).join(", ")}`,
    });
  }
  return only;
}

export const notRooted = (text: string): HomelabError =>
  new HomelabError("usage", `nothing of the commit ${text} is rooted here`, {
    code: "UNKNOWN_COMMIT",
    hint: "build it first: homelab-deploy build --all --rev COMMIT; cache retain --plan lists what is there",
  });
