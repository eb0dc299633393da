// `homelab-deploy cache pin` and `cache unpin`: commits that stay whatever comes after them.
import { HomelabError } from "../../../base/errors.ts";
import type { RootedCommit } from "../../../nix/nix.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { openStoreRoots } from "../../session/open-store-roots.ts";

/** @param reason undefined to unpin */
export async function runPin(context: Context, text: string, reason: string | undefined): Promise<number> {
  const { gcRoots, commits } = await openStoreRoots(context, untilInterrupted(context.signals));
  const { repo, commit } = findRooted(commits, text);
  if (!(await gcRoots.pin(repo, commit, reason))) throw notRooted(text);
  context.out.write(
    reason === undefined
      ? `${repo}@${commit} is kept no longer than others\n`
      : `${repo}@${commit} is kept until homelab-deploy cache unpin ${commit.slice(0, 12)}\n`,
  );
  return exitCodes.success;
}

/** By the first characters of its hash, at least 7. */
function findRooted(commits: readonly RootedCommit[], text: string): RootedCommit {
  if (!/^[0-9a-f]{7,40}$/.test(text)) {
    throw new HomelabError("usage", `${JSON.stringify(text.slice(0, 80))} is no commit`, {
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

const notRooted = (text: string): HomelabError =>
  new HomelabError("usage", `nothing of the commit ${text} is rooted here`, {
    code: "UNKNOWN_COMMIT",
    hint: "build it first: homelab-deploy build --all --rev COMMIT; cache retain --plan lists what is there",
  });
