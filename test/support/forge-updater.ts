// An updater in this process, as its command puts it together, with a builder and a forge that is asked in haste.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { composeUpdate } from "../../src/wiring/updates/compose-update.ts";
import { startLocalBuilder } from "../../src/cli/session/local-builder.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { RepoSettings } from "../../src/config/repo-schema.ts";
import { createForge } from "../../src/forge/create-forge.ts";
import { createNix } from "../../src/nix/create-nix.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { parseRepoName } from "../../src/protocol/names.ts";
import type { SafeUpdateResult } from "../../src/update/conclude.ts";
import { safeUpdate, type SafeUpdateOptions } from "../../src/update/safe-update.ts";
import { createCommandContext, runCommand } from "./command-context.ts";
import type { ForgeServer } from "./forge-server/forge-server.ts";
import { hastyClock } from "./hasty-clock.ts";
import type { UpdateLab } from "./update-lab.ts";

export interface ForgeUpdater extends AsyncDisposable {
  /** A run with everything of its own but the builder, as by another machine when its name is another. */
  compose(machine?: string): Promise<SafeUpdateOptions>;
  update(options?: SafeUpdateOptions): Promise<SafeUpdateResult>;
  /** The whole command. */
  command(
    ...args: string[]
  ): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }>;
  /** Everything that updates have written here, by file. */
  written(): Promise<Readonly<Record<string, string>>>;
  /** Forgets all proposals, here, on the remote and on the forge. */
  forget(): Promise<void>;
}

const repo = parseRepoName("fleet");

function requireSettings(settings: RepoSettings | undefined): RepoSettings {
  if (settings === undefined) throw new Error("the repo is not configured");
  return settings;
}

/** @param clock of the updater and its builder: builders take no requests of the future */
export async function startForgeUpdater(
  lab: UpdateLab,
  server: ForgeServer,
  clock: Clock = systemClock,
): Promise<ForgeUpdater> {
  const state = join(lab.directory, "state");
  const tokenFile = join(lab.directory, "token");
  await writeFile(tokenFile, `${server.bot.token}\n`, { mode: 0o600 });
  const { owner, name } = server.state;
  const forgeAt = { kind: "gitea", url: server.url, owner, tokenFile } as const;
  const file = join(lab.directory, "config.json");
  const update = {
    forge: { ...forgeAt, repository: name },
    identity: { email: "bot@homelab.invalid" },
    searchParts: 0,
  };
  await writeFile(
    file,
    JSON.stringify({
      repos: { fleet: { url: lab.url, update } },
      builder: { retry: { attempts: 2, firstDelaySeconds: 0 } },
      update: { stateDirectory: state },
    }),
  );
  const { config } = await loadConfig(file);
  const configured = requireSettings(config.repos[repo]);
  const environment = { ...lab.store.environment, HOME: join(lab.store.directory, "home") };
  const { context, said } = createCommandContext({
    options: { config: file, debug: true },
    environment,
    clock,
  });
  const [exec, log, stopped] = [createExec(), silentLog, new AbortController()];
  const builder = await startLocalBuilder(
    { ...context, options: {} },
    config,
    stopped.signal,
    join(state, "builder"),
  );
  const nix = await createNix(
    { exec, environment, stateDirectory: join(state, "nix"), clock, log },
    stopped.signal,
  );
  const forge = await createForge(
    { ...forgeAt, repo: name },
    // Waits are short, and the deadline of an answer, which is that clock's too, is what it is: 30 s.
    { fetch, clock: hastyClock, readSecret: async () => server.bot.token, timeoutMs: 3_000_000 },
    stopped.signal,
  );

  async function compose(machine?: string): Promise<SafeUpdateOptions> {
    const stateDirectory = machine === undefined ? state : join(state, "machines", machine);
    const parts = {
      environment: context.environment,
      clock: context.clock,
      config,
      repo,
      settings: configured,
      stateDirectory,
      nix,
      exec,
      log,
    };
    const { options } = await composeUpdate(
      {
        ...parts,
        builds: builder.reader,
        tellers: { nats: undefined, webhook: undefined },
        fresh: false,
        dryRun: false,
        inputs: undefined,
      },
      stopped.signal,
    );
    const { lease, proposing } = options;
    const self = { ...lease.self, machine: machine ?? lease.self.machine };
    return { ...options, lease: { ...lease, self }, proposing: { ...proposing, forge } };
  }

  return {
    compose,
    update: async (options) => safeUpdate(options ?? (await compose()), AbortSignal.timeout(60_000)),
    async command(...args) {
      said.stdout = said.stderr = "";
      const exitCode = await runCommand(context, "update", "--builds", "local", ...args);
      return { exitCode, ...said };
    },
    async written() {
      const files = await readdir(join(state, "updates"), { recursive: true, withFileTypes: true });
      const paths = files.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
      return Object.fromEntries(
        await Promise.all(paths.map(async (path) => [path, await readFile(path, "utf8")] as const)),
      );
    },
    async forget() {
      server.faults.clear();
      const { pulls, comments, labels, statuses, protectedBranches } = server.state;
      for (const list of [pulls, comments, labels, statuses]) list.length = 0;
      protectedBranches.clear();
      for (const branch of Object.keys(await lab.branches())) {
        if (branch !== "master") await lab.git("-C", lab.remote, "branch", "--quiet", "-D", branch);
      }
      await rm(join(state, "updates"), { recursive: true, force: true });
      await mkdir(join(state, "updates"), { recursive: true });
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error("the test ends"));
      await builder[Symbol.asyncDispose]();
    },
  };
}
