// `homelab-deploy up`: NATS and a builder on this machine, for those who have neither yet.
import { join, resolve } from "node:path";
import { HomelabError } from "../../../base/errors.ts";
import { watchBugs } from "../../../base/log.ts";
import { connectNats } from "../../../bus/connect/connection.ts";
import { requireSound, setUpStreams } from "../../../bus/server/setup.ts";
import type { Config, RepoSettings } from "../../../config/schema.ts";
import { createExec } from "../../../process/create-exec.ts";
import type { RepoName } from "../../../protocol/names.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { builderName } from "../../../wiring/compose-builder.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { userStateDirectory } from "../../session/local-builder.ts";
import { createPeopleLog } from "../../session/people-log.ts";
import { startPrivateNats } from "../../../wiring/private-nats.ts";
import { configureRepo, parseRepoArgument } from "../../arguments/repo-arguments.ts";
import { runDaemon } from "../../../wiring/run-daemon.ts";

export interface UpOptions {
  readonly repo?: readonly string[] | undefined;
  readonly branch?: string | undefined;
  readonly state?: string | undefined;
  readonly port: number;
  readonly poll: number;
}

/** Where commands look for NATS without being told. */
const defaultPort = 4222;

export async function runUp(context: Context, options: UpOptions): Promise<number> {
  const { environment, clock, errStyle } = context;
  const signal = untilInterrupted(context.signals);
  const exec = createExec();
  const state =
    options.state === undefined ? join(userStateDirectory(environment), "up") : resolve(options.state);
  const { log, count: bugs } = watchBugs(createPeopleLog(context));
  try {
    const config = withState(await configuredRepos(context, options, exec, signal), state);
    const directory = join(state, "nats");
    const builder = builderName(config.builder);
    await using server = await startPrivateNats(
      { exec, environment, directory, port: options.port, builder, clock },
      signal,
    );
    const target = { servers: [server.url], name: "homelab-deploy up", role: "daemon" } as const;
    {
      await using admin = await connectNats({ ...target, ...server.admin }, log, signal);
      // The server is ours alone, so nobody else would bring its streams up to date.
      requireSound(await setUpStreams(admin, { repair: true }));
    }
    await using connection = await connectNats({ ...target, ...server.builder }, log, signal);
    const onReady = (): void => {
      const prefix = options.port === defaultPort ? "" : `NATS_URL=${server.url} `;
      context.err.write(
        [
          `NATS is ready at ${server.url} (nats-server ${server.version}), a builder for ${Object.keys(config.repos).join(", ")} too.`,
          `In another terminal:  ${errStyle.bold(`${prefix}homelab-deploy build --all`)}`,
          "Ctrl-C stops both; what is built and stored stays in",
          `  ${state}`,
          "",
        ].join("\n"),
      );
    };
    await Promise.race([
      runDaemon(context, { config, connection, log, bugs, onReady }, signal),
      server.ended,
    ]);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return exitCodes.success;
}

async function configuredRepos(
  context: Context,
  { repo: named = [], branch, poll }: UpOptions,
  exec: ReturnType<typeof createExec>,
  signal: AbortSignal,
): Promise<Config> {
  const config = await loadCommandConfig(context);
  const repos: Record<RepoName, RepoSettings> = { ...config.repos };
  for (const text of named) {
    const [name, settings] = await configureRepo(
      parseRepoArgument(text),
      branch,
      poll,
      { exec, environment: context.environment },
      signal,
    );
    repos[name] = settings;
  }
  if (Object.keys(repos).length > 0) return { ...config, repos };
  throw new HomelabError("usage", "it is not said what to build", {
    code: "BAD_ARGUMENTS",
    hint: "homelab-deploy up --repo URL, where URL may also be the path of a git checkout",
  });
}

const withState = (config: Config, state: string): Config => ({
  ...config,
  builder: { ...config.builder, stateDirectory: join(state, "builder") },
});
