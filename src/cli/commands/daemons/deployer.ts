// `homelab-deploy deployer`: the daemon that runs rollouts.
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { watchBugs } from "../../../base/log.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { chosen, type Choose } from "../../command.ts";
import { natsTargetOf } from "../../session/connect.ts";
import { InterruptedError, untilInterrupted } from "../../session/signals.ts";

export function addDeployer(command: Command, choose: Choose): void {
  command.action(
    chosen(choose, async (context) => {
      const { clock, environment, options } = context;
      const file = options.config ?? environment["HOMELAB_DEPLOY_CONFIG"];
      if (file === undefined || file === "") {
        throw new HomelabError("usage", "the deployer needs a configuration file", {
          code: "BAD_ARGUMENTS",
          hint: "homelab-deploy deployer --config FILE",
        });
      }
      const [{ createDaemonLog }, { loadConfig }, { formatProblem }, { connectNats }, { runDeployerDaemon }] =
        await Promise.all([
          import("../../session/daemon-log.ts"),
          import("../../../config/load.ts"),
          import("../../../config/problems.ts"),
          import("../../../bus/connect/connection.ts"),
          import("../../../wiring/deployer/run-deployer-daemon.ts"),
        ]);
      const { log, count: bugs } = watchBugs(createDaemonLog(context.out, options.debug === true));
      const { config, warnings } = await loadConfig(file, "deployer");
      for (const warning of warnings) log.warn({ file }, formatProblem(warning));
      const signal = untilInterrupted(context.signals);
      try {
        const target = await natsTargetOf(context, config);
        const connect = async (until: AbortSignal) =>
          connectNats({ ...target, name: "homelab-deploy deployer", role: "daemon" }, log, until);
        await runDeployerDaemon({ config, connect, clock, environment, log, bugs }, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      // Told to stop, it stopped in order: for a service manager that is success, whatever the signal.
      const stop = signal.reason instanceof InterruptedError ? signal.reason.signal : undefined;
      log.info({ signal: stop }, "the deployer has stopped");
      return exitCodes.success;
    }),
  );
}
