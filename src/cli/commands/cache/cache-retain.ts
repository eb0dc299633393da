// `homelab-deploy cache retain`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { parsePositive } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { untilInterrupted } from "../../session/signals.ts";

export function addCacheRetain(cache: Command, choose: Choose): void {
  cache
    .command("retain")
    .description("On the builder: drop GC roots that are no longer needed.")
    .option("--plan", "only list what would be kept and dropped")
    .option("--repo <name>", "only this repo; everything of a repo that is no longer configured")
    .option("--keep <commits>", "newest commits of each host (default: the configuration's)", parsePositive)
    .option("--absolute", "print times with their zone, instead of how long ago")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples("cache retain --plan", "cache retain --keep 2 && nix-collect-garbage"))
    .action(
      chosen(choose, async (context, { plan = false, repo, keep, absolute }) => {
        const [{ retainRoots }, { renderRetained, retainedJson }] = await Promise.all([
          import("../../cache/retain-roots.ts"),
          import("../../print/pages/retention-table.ts"),
        ]);
        const specification = { plan, repo, keep };
        const retained = await retainRoots(context, specification, untilInterrupted(context.signals));
        const { clock, out, outStyle: style } = context;
        answer(context, {
          json: () => retainedJson(retained),
          text: () => renderRetained(retained, { style, width: out.columns, now: clock.now(), absolute }),
        });
        for (const unknown of context.json ? [] : retained.unconfigured) {
          context.err.write(
            `${unknown} is not configured here: all of it stays until you run homelab-deploy cache retain --repo ${unknown}\n`,
          );
        }
        return exitCodes.success;
      }),
    );
}
