// `homelab-deploy builds list|show|cancel`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { parseBuildWish, parsePositive } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { openReader } from "../../session/connect-reader.ts";

export function addBuilds(builds: Command, choose: Choose): void {
  builds
    .command("list", { isDefault: true })
    .description("The newest builds.")
    .option("--limit <count>", "how many", parsePositive, 20)
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action(
      chosen(choose, async (context, { limit, absolute }) => {
        const [{ buildJson, readBuilds }, { readSummaries }, { rememberNames }, { renderBuilds }] =
          await Promise.all([
            import("../../builds/find-build.ts"),
            import("../../builds/read-results.ts"),
            import("../../arguments/known-names.ts"),
            import("../../print/pages/builds-table.ts"),
          ]);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const counts = await reader.countEvents(signal);
        const ids = [...counts.keys()];
        const shown = ids.slice(0, limit);
        const documents = context.json ? (await readBuilds(reader, shown, signal)).map(buildJson) : [];
        const summaries = context.json ? [] : await readSummaries(reader, shown, counts, signal);
        const queued = await reader.queueLength(signal);
        await rememberNames(context.environment, { builds: ids });
        const { clock, out, outStyle: style } = context;
        answer(context, {
          json: () => ({ builds: documents, queued }),
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
    .description("One build: its hosts, failures and warnings.")
    .argument("<id>", "the id, or its first characters; `last` for the newest", parseBuildWish)
    .option("--show-trace", "show evaluation errors with their whole trace")
    .option("--json", "as one JSON document")
    .action(
      chosen(choose, async (context, wish, { showTrace }) => {
        const [{ buildJson, findBuild, readBuild }, { renderSummary }] = await Promise.all([
          import("../../builds/find-build.ts"),
          import("../../print/summary/summary.ts"),
        ]);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const state = await readBuild(reader, await findBuild(reader, wish, signal), signal);
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
    .description("Cancel a build, also one that waits in the queue.")
    .argument("<id>", "the id, or its first characters; `last` for the newest", parseBuildWish)
    .option("--json", "as one JSON document")
    .action(
      chosen(choose, async (context, wish) => {
        const [{ findBuild }, { cancelBuild }] = await Promise.all([
          import("../../builds/find-build.ts"),
          import("../../builds/cancel-build.ts"),
        ]);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const build = await findBuild(reader, wish, signal);
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
