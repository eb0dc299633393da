// `up`: a nats-server of our own and a builder on it, as long as both run.
import { join } from "node:path";
import { hasCode } from "../../base/errors.ts";
import { watchBugs } from "../../base/log.ts";
import { connectNats } from "../../bus/connect/connection.ts";
import { requireSound, setUpStreams } from "../../bus/server/setup.ts";
import type { Config } from "../../config/schema.ts";
import { createExec } from "../../process/create-exec.ts";
import { builderName } from "../../wiring/compose-builder.ts";
import { startDashboard, type StartedDashboard } from "../../wiring/dashboard/compose-dashboard.ts";
import { startPrivateNats } from "../../wiring/private-nats.ts";
import { runDaemon } from "../../wiring/run-daemon.ts";
import type { Context } from "../context.ts";
import { createPeopleLog } from "./people-log.ts";

const usualDashboardPort = 9482;

export interface PrivateRun {
  readonly config: Config;
  /** Everything that is stored is below it. */
  readonly state: string;
  readonly port: number;
  /** The port of the dashboard on the loopback; if undefined the usual one, or any free one if that is taken. */
  readonly dashboardPort: number | undefined;
  readonly onReady: (started: {
    readonly url: string;
    readonly version: string;
    /** Where the dashboard is. */
    readonly dashboard: string;
  }) => void;
}

export async function runPrivately(
  context: Context,
  { config: configured, state, port, dashboardPort, onReady }: PrivateRun,
  signal: AbortSignal,
): Promise<void> {
  const { environment, clock } = context;
  const { log, count: bugs } = watchBugs(createPeopleLog(context));
  const builder = { ...configured.builder, stateDirectory: join(state, "builder") };
  const config = { ...configured, builder };
  await using server = await startPrivateNats(
    {
      exec: createExec(),
      environment,
      directory: join(state, "nats"),
      port,
      builder: builderName(builder),
      clock,
    },
    signal,
  );
  const target = { servers: [server.url], name: "homelab-deploy up", role: "daemon" } as const;
  {
    await using admin = await connectNats({ ...target, ...server.admin }, log, signal);
    // The server is ours alone, so nobody else would bring its streams up to date.
    requireSound(await setUpStreams(admin, { repair: true }));
  }
  await using connection = await connectNats({ ...target, ...server.builder }, log, signal);
  // With what anybody may here: a page must not be able to do what a builder may.
  await using visitor = await connectNats(target, log, signal);
  const startOn = async (chosen: number): Promise<StartedDashboard> => {
    const dashboard = { ...config.dashboard, listen: `127.0.0.1:${chosen}` };
    return startDashboard(
      { config: { ...config, dashboard }, connection: visitor, environment, clock, log },
      signal,
    );
  };
  await using dashboard = await startOn(dashboardPort ?? usualDashboardPort).catch(async (error: unknown) => {
    if (dashboardPort !== undefined || !hasCode(error, "DASHBOARD_LISTEN")) throw error;
    return startOn(0);
  });
  const parts = {
    config,
    connection,
    log,
    bugs,
    onReady: () => onReady({ ...server, dashboard: dashboard.url }),
  };
  await Promise.race([runDaemon(context, parts, signal), server.ended]);
}
