// `homelab-deploy status`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { openDeploy } from "../../session/connect-deploy.ts";

/** The fleet on one screen. Exits with 1 when something is not well. */
export function addStatus(command: Command, choose: Choose): void {
  command
    .option("--absolute", "print times with their zone, instead of how long ago")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, { absolute }) => {
        const [{ readStatus }, { findProblems }, { renderStatus }, { summaryJson }] = await Promise.all([
          import("../../status/read-status.ts"),
          import("../../../fleet/fleet-status.ts"),
          import("../../print/pages/status-page.ts"),
          import("../../print/rollout/rollout-json.ts"),
        ]);
        const config = await loadCommandConfig(context);
        await using session = await openDeploy(context);
        const { ids, ...all } = await readStatus(context, config, session, session.signal);
        const { clock, out, outStyle: style } = context;
        const now = clock.now();
        const problems = findProblems(all, now);
        // `hosts` tells about each.
        const { deployed: _, ...status } = all;
        const rollouts = all.rollouts.map(summaryJson);
        answer(context, {
          json: () => ({
            well: problems.length === 0,
            problems,
            ...status,
            rollouts,
            cache: status.cache ?? null,
          }),
          text: () => renderStatus(all, problems, { style, width: out.columns, now, absolute, ids }),
        });
        return problems.length === 0 ? exitCodes.success : exitCodes.failed;
      }),
    );
}
