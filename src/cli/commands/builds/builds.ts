// `homelab-deploy builds list|show|cancel`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { parseBuildReference, parsePositive } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { openReader } from "../../session/connect-reader.ts";

export function addBuilds(builds: Command, choose: Choose): void {
  builds
    .command("list", { isDefault: true })
    .description("List the newest builds.")
    .option("--limit <count>", "maximum number of entries", parsePositive, 20)
    .option("--absolute", "print times with their zone, instead of how long ago")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, { limit, absolute }) => {
        const [{ readSummaries }, { rememberNames }, { renderBuilds }] = await Promise.all([
          import("../../../fleet/read-results.ts"),
          import("../../arguments/known-names.ts"),
          import("../../print/pages/builds-table.ts"),
        ]);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const counts = await reader.countEvents(signal);
        const ids = [...counts.keys()];
        const summaries = await readSummaries(reader, ids.slice(0, limit), counts, signal);
        const queued = await reader.queueLength(signal);
        await rememberNames(context.environment, { builds: ids });
        const { clock, out, outStyle: style } = context;
        answer(context, {
          // The hosts of a build, as `builds show` has them, are not counts.
          json: () => ({
            builds: summaries.map(({ hosts: hostCounts, ...build }) => ({ ...build, hostCounts })),
            queued,
          }),
          text: () => renderBuilds(summaries, { style, width: out.columns, now: clock.now(), absolute, ids }),
        });
        if (queued > 0 && !context.json) {
          const requests = queued === 1 ? "1 request waits" : `${queued} requests wait`;
          context.err.write(`${requests} for a builder.\n`);
        }
        return exitCodes.success;
      }),
    );

  builds
    .command("show")
    .description("Show one build: its hosts, failures and warnings.")
    .argument("<id>", "the id, or its first characters; `last` for the newest", parseBuildReference)
    .option("--show-trace", "show evaluation errors with their whole trace")
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, reference, { showTrace }) => {
        const [{ buildJson, findBuild, readBuild }, { renderSummary }] = await Promise.all([
          import("../../../fleet/find-build.ts"),
          import("../../print/summary/summary.ts"),
        ]);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const state = await readBuild(reader, await findBuild(reader, reference, signal), signal);
        const { out, outStyle: style } = context;
        answer(context, {
          json: () => buildJson(state),
          text: () => renderSummary(state, { style, width: out.columns, showTrace, warnings: true }),
        });
        return exitCodes.success;
      }),
    );

  builds
    .command("cancel")
    .description("Cancel a build, running or queued.")
    .argument("<id>", "the id, or its first characters; `last` for the newest", parseBuildReference)
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, reference) => {
        const [{ findBuild }, { cancelBuild }] = await Promise.all([
          import("../../../fleet/find-build.ts"),
          import("../../builds/cancel-build.ts"),
        ]);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const build = await findBuild(reader, reference, signal);
        const cancelled = await cancelBuild(reader, build, signal);
        answer(context, {
          json: () => ({ build, cancelled }),
          text: () =>
            cancelled
              ? `Build ${build} is cancelled.\n`
              : `Build ${build} is asked to stop; no builder has confirmed it yet.\n`,
        });
        return exitCodes.success;
      }),
    );
}
