// `homelab-deploy watch`
import { Option, type Command } from "@commander-js/extra-typings";
import { examples } from "../../arguments/help-text.ts";
import { outputOption, parseBuildReference, parseDuration } from "../../arguments/parse-options.ts";
import { chosen, type Choose } from "../../command.ts";
import { openReader } from "../../session/connect-reader.ts";

/** Attaches to the live view of a build, and exits with its verdict. Ctrl-C detaches. */
export function addWatch(command: Command, choose: Choose): void {
  command
    .addHelpText("after", examples("watch", "watch 01JDB3K2M4"))
    .argument(
      "[id]",
      "the build's id, or its first characters (default: the newest running build, or else the newest)",
      parseBuildReference,
    )
    .option(
      "--timeout <duration>",
      "stop watching after this time, such as 30m; the build continues",
      parseDuration,
    )
    .addOption(outputOption("output format"))
    .addOption(
      new Option("--json", "print one JSON object per event; the same as --output jsonl").conflicts("output"),
    )
    .action(
      chosen(choose, async (context, reference, options) => {
        const [{ findBuild, findWatched }, { watchBuild }] = await Promise.all([
          import("../../../fleet/find-build.ts"),
          import("../../builds/watch-build.ts"),
        ]);
        await using session = await openReader(context);
        const { reader, signal } = session;
        const id =
          reference === undefined
            ? await findWatched(reader, context.clock.now(), signal)
            : await findBuild(reader, reference, signal);
        session.handOver();
        return await watchBuild(context, reader, id, { ...options, keys: true });
      }),
    );
}
