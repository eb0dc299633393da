// `homelab-deploy builder`: the daemon.
import { HomelabError } from "../../../base/errors.ts";
import { watchBugs } from "../../../base/log.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { natsTargetOf } from "../../session/connect.ts";
import { InterruptedError, untilInterrupted, type Context } from "../../context.ts";
import { createDaemonLog } from "../../session/daemon-log.ts";

export async function runBuilderCommand(context: Context): Promise<number> {
  const file = context.options.config ?? context.environment["HOMELAB_DEPLOY_CONFIG"];
  if (file === undefined || file === "") {
    throw new HomelabError("usage", "the builder needs a configuration file", {
      code: "BAD_ARGUMENTS",
      hint: "homelab-deploy builder --config FILE",
    });
  }
  const [{ loadConfig }, { formatProblem }, { connectNats }, { runDaemon }] = await Promise.all([
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
  log.info(
    { signal: signal.reason instanceof InterruptedError ? signal.reason.signal : undefined },
    "the builder has stopped",
  );
  return exitCodes.success;
}
