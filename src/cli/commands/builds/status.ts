// `homelab-deploy status`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { openReader } from "../../session/connect-reader.ts";

/** The fleet on one screen. Exits with 1 when something is not well. */
export function addStatus(command: Command, choose: Choose): void {
  command
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action(
      chosen(choose, async (context, { absolute }) => {
        const [{ readStatus }, { findProblems }, { renderStatus }] = await Promise.all([
          import("../../status/read-status.ts"),
          import("../../status/fleet-status.ts"),
          import("../../print/pages/status-page.ts"),
        ]);
        const config = await loadCommandConfig(context);
        await using session = await openReader(context, config);
        const { ids, ...status } = await readStatus(context, config, session.reader, session.signal);
        const { clock, out, outStyle: style } = context;
        const now = clock.now();
        const problems = findProblems(status, now);
        answer(context, {
          json: () => ({ well: problems.length === 0, problems, ...status, cache: status.cache ?? null }),
          text: () => renderStatus(status, problems, { style, width: out.columns, now, absolute, ids }),
        });
        return problems.length === 0 ? exitCodes.success : exitCodes.failed;
      }),
    );
}
