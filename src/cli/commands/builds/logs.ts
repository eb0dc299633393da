// `homelab-deploy logs`
import { Option, type Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { outputOption, parseBuildReference, parsePositive } from "../../arguments/parse-options.ts";
import { chosen, type Choose } from "../../command.ts";
import { openReader } from "../../session/connect-reader.ts";
import { untilInterrupted } from "../../session/signals.ts";

/** The stored logs of a build, or the whole build as it happens. */
export function addLogs(command: Command, choose: Choose): void {
  command
    .addHelpText(
      "after",
      examples("logs last web01", "logs last --failed --tail 50", "logs 01JDB3K2M4 --follow"),
    )
    .argument("<id>", "the build's id, or its first characters; `last` for the newest", parseBuildReference)
    .argument("[host]", "only what was built for this host")
    .option("-f, --follow", "print new output until the build is over")
    .option("--failed", "only what failed, in full")
    .option("--tail <lines>", "only the last lines of each log", parsePositive)
    .option("--drv <name>", "only this derivation: its name, with or without version, or its store path")
    .addOption(outputOption("with --follow: output format"))
    .addOption(
      new Option(
        "--json",
        "print one JSON object per piece of a log; with --follow, also one per event",
      ).conflicts("output"),
    )
    .action(
      chosen(
        choose,
        async (context, reference, host, { follow, failed, tail, drv: derivation, ...options }) => {
          if (follow === true && [host, failed, tail, derivation].some((given) => given !== undefined)) {
            throw new HomelabError("usage", "--follow shows the whole build", {
              code: "BAD_ARGUMENTS",
              hint: "leave the host, --failed, --tail and --drv out",
            });
          }
          const { findBuild } = await import("../../../fleet/find-build.ts");
          await using session = await openReader(context);
          const { reader } = session;
          const id = await findBuild(reader, reference, session.signal);
          session.handOver();
          if (follow === true) {
            const { watchBuild } = await import("../../builds/watch-build.ts");
            return await watchBuild(context, reader, id, { ...options, printBuildLogs: true });
          }
          const { printLogs } = await import("../../builds/print-logs.ts");
          const selection = { host, failed, derivation, tail, json: options.json === true };
          await printLogs(context, reader, id, selection, untilInterrupted(context.signals));
          return exitCodes.success;
        },
      ),
    );
}
