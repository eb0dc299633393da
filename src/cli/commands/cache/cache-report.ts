// `homelab-deploy cache report`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { untilInterrupted } from "../../session/signals.ts";

/** Exits with 1 when the disk is too small for what is to be kept. */
export function addCacheReport(cache: Command, choose: Choose): void {
  cache
    .command("report")
    .description(
      "On the builder: show the size of closures, their growth, and whether the disk is large enough.",
    )
    .option("--absolute", "print times with their zone, instead of how long ago")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, { absolute }) => {
        const [{ reportStore }, { renderStoreReport, storeReportJson }] = await Promise.all([
          import("../../cache/report-store.ts"),
          import("../../print/pages/store-report.ts"),
        ]);
        const report = await reportStore(context, untilInterrupted(context.signals));
        const { clock, out, outStyle: style } = context;
        answer(context, {
          json: () => storeReportJson(report),
          text: () => renderStoreReport(report, { style, width: out.columns, now: clock.now(), absolute }),
        });
        return report.answer.verdict === "too-small" ? exitCodes.failed : exitCodes.success;
      }),
    );
}
