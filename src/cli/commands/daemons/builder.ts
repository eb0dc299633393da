// `homelab-deploy builder`: the daemon.
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { watchBugs } from "../../../base/log.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { chosen, type Choose } from "../../command.ts";
import { natsTargetOf } from "../../session/connect.ts";
import { InterruptedError, untilInterrupted } from "../../session/signals.ts";

export function addBuilder(command: Command, choose: Choose): void {
  command.action(
    chosen(choose, async (context) => {
      const file = context.options.config ?? context.environment["HOMELAB_DEPLOY_CONFIG"];
      if (file === undefined || file === "") {
        throw new HomelabError("usage", "the builder needs a configuration file", {
          code: "BAD_ARGUMENTS",
          hint: "homelab-deploy builder --config FILE",
        });
      }
      const [{ createDaemonLog }, { loadConfig }, { formatProblem }, { connectNats }, { runDaemon }] =
        await Promise.all([
          import("../../session/daemon-log.ts"),
          import("../../../config/load.ts"),
          import("../../../config/problems.ts"),
          import("../../../bus/connect/connection.ts"),
          import("../../../wiring/run-daemon.ts"),
        ]);
      const { log, count: bugs } = watchBugs(createDaemonLog(context.out, context.options.debug === true));
      const { config, warnings } = await loadConfig(file, "builder");
      for (const warning of warnings) log.warn({ file }, formatProblem(warning));
      const signal = untilInterrupted(context.signals);
      try {
        const target = await natsTargetOf(context, config);
        await using connection = await connectNats(
          { ...target, name: "homelab-deploy builder", role: "daemon" },
          log,
          signal,
        );
        await runDaemon(context, { config, connection, log, bugs }, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      // Told to stop, it stopped in order: for a service manager that is success, whatever the signal.
      const stop = signal.reason instanceof InterruptedError ? signal.reason.signal : undefined;
      log.info({ signal: stop }, "the builder has stopped");
      return exitCodes.success;
    }),
  );
}
