// Everything that doctor looks at, in the order in which one thing needs the other.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { readSecret, resolveSecretPath } from "../../config/secrets.ts";
import { createForge } from "../../forge/create-forge.ts";
import type { InstalledNix } from "../../nix/create-nix.ts";
import { createExec } from "../../process/create-exec.ts";
import { openCacheClient } from "../../wiring/compose-cache.ts";
import { useNetworkOf } from "../../wiring/own-network.ts";
import { connectCommand, loadCommandConfig, natsTargetOf } from "../session/connect.ts";
import type { Context } from "../context.ts";
import { checkCache } from "./check-cache.ts";
import { checkClock } from "./check-clock.ts";
import { checkDisk, checkStateDirectory } from "./check-disk.ts";
import { checkForge } from "./check-forge.ts";
import { checkAccounts, checkBuilders, checkStreamSettings, describeServer } from "./check-nats.ts";
import { checkNatsDurability } from "./check-nats-durability.ts";
import { checkNatsLimits } from "./check-nats-limits.ts";
import { checkNatsRights } from "./check-nats-rights.ts";
import { checkInputs } from "./check-inputs.ts";
import { checkNix } from "./check-nix.ts";
import { checkGit, checkRemotes } from "./check-remotes.ts";
import { checkRunners } from "./check-runners.ts";
import { checkSecrets } from "./check-secrets.ts";
import { findingOf, type Finding } from "./finding.ts";

export async function examine(context: Context, signal: AbortSignal): Promise<readonly Finding[]> {
  let config: Config;
  try {
    config = await loadCommandConfig(context);
  } catch (error) {
    return [findingOf("configuration", error)];
  }
  useNetworkOf(context.environment);
  const credentials = context.environment["CREDENTIALS_DIRECTORY"];
  const directory = await mkdtemp(join(tmpdir(), "homelab-deploy-doctor-"));
  try {
    const secrets = await checkSecrets(config, credentials);
    // Who has repos in the configuration builds, or updates; who has none only asks.
    const { nix, findings } = hasRepos(config)
      ? await examineBuilding(context, config, directory, signal)
      : { nix: undefined, findings: [] };
    const parts = { clock: context.clock, fetch };
    return [
      ...secrets,
      ...findings,
      ...(await examineNats(context, config, signal)),
      ...(await examineForges(context, config, signal)),
      ...(await examineCache(context, config, nix, signal)),
      ...(hasRepos(config) ? await checkClock(config, parts, signal) : []),
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const hasRepos = ({ repos }: Config): boolean => Object.keys(repos).length > 0;

async function examineBuilding(
  { environment, clock }: Context,
  config: Config,
  directory: string,
  signal: AbortSignal,
): Promise<{ readonly nix: InstalledNix | undefined; readonly findings: readonly Finding[] }> {
  const { repos, builder } = config;
  const exec = createExec();
  const { nix, findings } = await checkNix(
    { environment, clock, exec, directory: join(directory, "nix") },
    signal,
  );
  const git = { exec, environment, directory: join(directory, "git") };
  const disks = nix === undefined ? [] : [await checkDisk("store disk", nix.storeDirectory)];
  const all = [
    ...findings,
    ...disks,
    await checkStateDirectory(builder.stateDirectory),
    ...(await checkGit(git, signal)),
    ...(await checkRemotes(repos, git, signal)),
    ...(await checkInputs(config, git, signal)),
  ];
  return { nix, findings: all };
}

async function examineNats(
  context: Context,
  config: Config,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const { inboxPrefix } = await natsTargetOf(context, config);
    await using connection = await connectCommand(context, config, signal);
    const { createReader } = await import("../../bus/create-reader.ts");
    return [
      ...describeServer(connection),
      await checkNatsDurability(connection.nats.getServer(), fetch, signal),
      await checkAccounts(connection),
      ...(await checkNatsRights(connection, inboxPrefix)),
      ...(await checkNatsLimits(connection)),
      ...(await checkStreamSettings(connection)),
      ...(await checkBuilders(createReader(connection), context.clock.now(), signal)),
    ];
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf("NATS server", error)];
  }
}

/** Somebody waits for the answer. */
const impatient = { attempts: 2, firstDelayMs: 500, factor: 1, maxDelayMs: 500 };

async function examineForges(
  { environment, clock }: Context,
  { repos }: Config,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings = Object.entries(repos).map(async ([repo, { branch, update }]) => {
    if (update.forge === undefined) return [];
    const { repository, ...rest } = update.forge;
    const settings = { ...rest, repo: repository };
    const source = { credentialsDirectory: environment["CREDENTIALS_DIRECTORY"], log: silentLog };
    const readToken = async (file: string): Promise<string> => readSecret(file, source);
    const parts = { fetch, clock, readSecret: readToken, timeoutMs: 10_000, retryPolicy: impatient };
    const signIn = async () => createForge(settings, parts, signal);
    const found = await checkForge({ repo, branch }, signIn, signal);
    // Without a token that works nothing more can be said.
    if (found.length === 1) return found;
    return [...found, ...(await checkRunners(repo, settings, branch, parts, signal))];
  });
  return (await Promise.all(findings)).flat();
}

async function examineCache(
  context: Context,
  { cache }: Config,
  nix: InstalledNix | undefined,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { url, secretKeyFile } = cache;
  const credentials = context.environment["CREDENTIALS_DIRECTORY"];
  const isHere = secretKeyFile?.startsWith("/") === true || (credentials ?? "") !== "";
  const trusted = nix?.settings["trusted-public-keys"];
  return checkCache(
    cache,
    {
      openClient: async () => openCacheClient({ ...cache, attempts: 2 }, url ?? "", context, signal),
      secretKeyFile:
        secretKeyFile === undefined || !isHere ? undefined : resolveSecretPath(secretKeyFile, credentials),
      nix:
        nix === undefined
          ? undefined
          : {
              storeDirectory: nix.storeDirectory,
              trustedKeys: Array.isArray(trusted) ? trusted.map(String) : [],
            },
    },
    signal,
  );
}
