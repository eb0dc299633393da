// `build --local`: a builder in this process, on a bus that only this process sees.
import { homedir } from "node:os";
import { join } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import { silentLog, watchBugs, type Log } from "../../base/log.ts";
import { runBuilder } from "../../builder/builder.ts";
import type { BuildReader } from "../../bus/bus.ts";
import { createMemoryBus } from "../../bus/memory-bus.ts";
import type { Config } from "../../config/schema.ts";
import { composeBuilder } from "../../wiring/compose-builder.ts";
import type { Context } from "../context.ts";
import { createPeopleLog } from "./people-log.ts";

export interface LocalBuilder extends AsyncDisposable {
  readonly reader: BuildReader;
}

/**
 * The signal ends the start only: dispose of what is started. Beside a daemon on the same machine, its state is its own: a directory of the user.
 *
 * @throws HomelabError `config` without repos; `unavailable` without Nix.
 */
export async function startLocalBuilder(
  context: Context,
  config: Config,
  signal: AbortSignal,
  stateDirectory = join(userStateDirectory(context.environment), "local"),
): Promise<LocalBuilder> {
  if (Object.keys(config.repos).length === 0) {
    throw new HomelabError("config", "there are no repos to build", {
      code: "NO_REPOS",
      hint: "name a configuration file with `repos`: --config FILE, or HOMELAB_DEPLOY_CONFIG",
    });
  }
  const { clock, environment, options } = context;
  const stopped = new AbortController();
  const bus = createMemoryBus(clock);
  const kept: (() => void)[] = [];
  const log = options.debug === true ? await debugLog(context) : keepBugs(context, kept);
  const composed = await composeBuilder(
    { config: { ...config, builder: { ...config.builder, stateDirectory } }, environment, clock, log },
    signal,
  );
  const ready = Promise.withResolvers<void>();
  const repos = new Map([...composed.repos].map(([name, repo]) => [name, { ...repo, pollMs: 0 }]));
  const running = runBuilder(
    { ...composed, repos, bus, stopMs: 0, onReady: () => ready.resolve() },
    stopped.signal,
  );
  await Promise.race([ready.promise, running]);
  return {
    reader: bus,
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error("the local builder ends"));
      await running;
      for (const print of kept) print();
    },
  };
}

/** `$XDG_STATE_HOME/homelab-deploy` */
export const userStateDirectory = (environment: Context["environment"]): string =>
  join(
    environment["XDG_STATE_HOME"] ?? join(environment["HOME"] ?? homedir(), ".local/state"),
    "homelab-deploy",
  );

/** Bugs are shown when the builder has ended: while it runs, a live view may have the terminal. */
function keepBugs(context: Context, kept: (() => void)[]): Log {
  const people = createPeopleLog(context);
  return watchBugs({
    ...silentLog,
    error(fields, message) {
      if (fields["bug"] === true) kept.push(() => people.error(fields, message));
    },
  }).log;
}

async function debugLog(context: Context): Promise<Parameters<typeof composeBuilder>[0]["log"]> {
  const { createDaemonLog } = await import("./daemon-log.ts");
  return createDaemonLog(context.err, true);
}
