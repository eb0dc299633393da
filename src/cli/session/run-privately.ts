// `up`: a nats-server of our own and a builder on it, as long as both run.
import { join } from "node:path";
import { watchBugs } from "../../base/log.ts";
import { connectNats } from "../../bus/connect/connection.ts";
import { requireSound, setUpStreams } from "../../bus/server/setup.ts";
import type { Config } from "../../config/schema.ts";
import { createExec } from "../../process/create-exec.ts";
import { builderName } from "../../wiring/compose-builder.ts";
import { startPrivateNats } from "../../wiring/private-nats.ts";
import { runDaemon } from "../../wiring/run-daemon.ts";
import type { Context } from "../context.ts";
import { createPeopleLog } from "./people-log.ts";

export interface PrivateRun {
  readonly config: Config;
  /** Everything that is stored is below it. */
  readonly state: string;
  readonly port: number;
  readonly onReady: (server: { readonly url: string; readonly version: string }) => void;
}

export async function runPrivately(
  context: Context,
  { config: configured, state, port, onReady }: PrivateRun,
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
  const parts = { config, connection, log, bugs, onReady: () => onReady(server) };
  await Promise.race([runDaemon(context, parts, signal), server.ended]);
}
