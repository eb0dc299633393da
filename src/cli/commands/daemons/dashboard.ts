// `homelab-deploy dashboard`: the pages, until it is told to stop.
import { once } from "node:events";
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { chosen, type Choose } from "../../command.ts";
import { loadCommandConfig, natsTargetOf } from "../../session/connect.ts";
import { untilInterrupted } from "../../session/signals.ts";

export function addDashboard(command: Command, choose: Choose): void {
  command
    .addHelpText("after", examples("dashboard", "dashboard --listen 127.0.0.1:8080"))
    .option("--listen <address:port>", "where to listen (default: dashboard.listen, 127.0.0.1:9482)")
    .action(
      chosen(choose, async (context, { listen }) => {
        const [
          { createDaemonLog },
          { createPeopleLog },
          { connectNats },
          { startDashboard },
          { parseConfig },
        ] = await Promise.all([
          import("../../session/daemon-log.ts"),
          import("../../session/people-log.ts"),
          import("../../../bus/connect/connection.ts"),
          import("../../../wiring/dashboard/compose-dashboard.ts"),
          import("../../../config/load.ts"),
        ]);
        const { environment, clock, err, errStyle } = context;
        const isWatched = err.isTTY === true;
        const log = isWatched
          ? createPeopleLog(context)
          : createDaemonLog(context.out, context.options.debug === true);
        const loaded = await loadCommandConfig(context);
        // Checked like the file's: what would be open to everybody is refused.
        const { dashboard: settings } =
          listen === undefined
            ? loaded
            : parseConfig(JSON.stringify({ dashboard: { ...loaded.dashboard, listen } }), "--listen").config;
        const signal = untilInterrupted(context.signals);
        try {
          const target = await natsTargetOf(context, loaded);
          await using connection = await connectNats(
            { ...target, name: "homelab-deploy dashboard", role: "daemon" },
            log,
            signal,
          );
          await using dashboard = await startDashboard(
            { config: { cache: loaded.cache, dashboard: settings }, connection, environment, clock, log },
            signal,
          );
          if (isWatched) {
            err.write(`The dashboard is at ${errStyle.bold(dashboard.url)}\nCtrl-C stops it.\n`);
          } else log.info({ url: dashboard.url }, "the dashboard listens");
          if (!signal.aborted) await once(signal, "abort");
        } catch (error) {
          if (!signal.aborted) throw error;
        }
        if (!isWatched) log.info({}, "the dashboard has stopped");
        return exitCodes.success;
      }),
    );
}
