// `homelab-deploy cache pin` and `cache unpin`: commits that stay whatever comes after them.
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { chosen, type Choose } from "../../command.ts";
import type { Context } from "../../context.ts";
import { untilInterrupted } from "../../session/signals.ts";

export function addCachePin(cache: Command, choose: Choose): void {
  cache
    .command("pin")
    .description("On the builder: keep a commit's systems until it is unpinned.")
    .argument("<commit>", "the commit's hash, or at least its first 7 characters")
    .requiredOption("--reason <text>", "why, shown in cache retain --plan")
    .action(
      chosen(choose, async (context, text, { reason }) => {
        const { repo, commit } = await pin(context, text, reason);
        const undo = `homelab-deploy cache unpin ${commit.slice(0, 12)}`;
        context.out.write(`${repo}@${commit} is kept until ${undo}\n`);
        return exitCodes.success;
      }),
    );
  cache
    .command("unpin")
    .description("On the builder: remove the pin of a commit.")
    .argument("<commit>", "the commit's hash, or at least its first 7 characters")
    .action(
      chosen(choose, async (context, text) => {
        const { repo, commit } = await pin(context, text, undefined);
        context.out.write(`${repo}@${commit} is kept no longer than others\n`);
        return exitCodes.success;
      }),
    );
}

/** @param reason undefined to unpin */
async function pin(
  context: Context,
  text: string,
  reason: string | undefined,
): Promise<{ readonly repo: string; readonly commit: string }> {
  const [{ findRooted, notRooted }, { openStoreRoots }] = await Promise.all([
    import("../../cache/find-rooted.ts"),
    import("../../cache/open-store-roots.ts"),
  ]);
  const { gcRoots, commits } = await openStoreRoots(context, untilInterrupted(context.signals));
  const rooted = findRooted(commits, text);
  if (!(await gcRoots.pin(rooted.repo, rooted.commit, reason))) throw notRooted(text);
  return rooted;
}
