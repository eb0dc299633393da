// `homelab-deploy listener`: the daemon on a host that is deployed to.
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { watchBugs } from "../../../base/log.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { chosen, type Choose } from "../../command.ts";
import { natsTargetOf } from "../../session/connect.ts";
import { InterruptedError, untilInterrupted } from "../../session/signals.ts";

export function addListener(command: Command, choose: Choose): void {
  command.action(
    chosen(choose, async (context) => {
      const { clock, environment, options } = context;
      const file = options.config ?? environment["HOMELAB_DEPLOY_CONFIG"];
      if (file === undefined || file === "") {
        throw new HomelabError("usage", "the listener needs a configuration file", {
          code: "BAD_ARGUMENTS",
          hint: "homelab-deploy listener --config FILE",
        });
      }
      const [
        { createDaemonLog },
        { loadConfig },
        { createExec },
        { createSystem },
        { machineRoots },
        { nixEnvironment },
        wiring,
      ] = await Promise.all([
        import("../../session/daemon-log.ts"),
        import("../../../config/load.ts"),
        import("../../../process/create-exec.ts"),
        import("../../../host/create-system.ts"),
        import("../../../host/host-roots.ts"),
        import("../../../nix/nix-environment.ts"),
        import("../../../wiring/listener/run-listener.ts"),
      ]);
      const { log } = watchBugs(createDaemonLog(context.out, options.debug === true));
      const { config } = await loadConfig(file);
      const signal = untilInterrupted(context.signals);
      try {
        await wiring.runListenerDaemon(
          {
            settings: config.listener,
            // Read again: a switch may have brought other settings, and left this process as it was.
            async readTarget(servers) {
              const { config: now } = await loadConfig(file);
              return natsTargetOf(context, {
                ...now,
                nats: { ...now.nats, servers: now.nats.servers ?? [...servers] },
              });
            },
            system: createSystem({
              exec: createExec(clock),
              environment: nixEnvironment(environment, config.listener.stateDirectory),
              clock,
              roots: machineRoots,
              // It never switches.
              outputFile: () => "/dev/null",
            }),
            clock,
            environment,
            log,
          },
          signal,
        );
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      const stop = signal.reason instanceof InterruptedError ? signal.reason.signal : undefined;
      log.info({ signal: stop }, "the listener has stopped");
      return exitCodes.success;
    }),
  );
}
