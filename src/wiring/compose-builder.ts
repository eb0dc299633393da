// Puts a builder together from its configuration: the one place where adapters meet services.
import { lockedInputs } from "../nix/lock/locked-inputs.ts";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { diskOf } from "../base/files/disk.ts";
import type { Log } from "../base/log.ts";
import type { BuilderOptions } from "../builder/builder.ts";
import type { EngineSettings } from "../builder/engine.ts";
import type { Repo } from "../builder/repo.ts";
import type { ServingProof } from "../builder/checks/serving-check.ts";
import { createServingProof } from "../cache/serving-proof.ts";
import type { RetentionOptions } from "../cache/retain.ts";
import { createHostFilter } from "../config/host-filter.ts";
import type { BuilderSettings } from "../config/builder-schema.ts";
import type { RepoSettings } from "../config/repo-schema.ts";
import type { Config } from "../config/schema.ts";
import { createMirror } from "../git/mirror.ts";
import { createEvaluationMemory } from "../nix/evaluate/evaluation-memory.ts";
import { createNix } from "../nix/create-nix.ts";
import type { Store } from "../nix/store.ts";
import { createExec } from "../process/create-exec.ts";
import { ownerEnvironment } from "../process/owner.ts";
import { parseBuilderName, type BuilderName, type RepoName } from "../protocol/names.ts";
import { composeVerification, openCache, openProofMemory, type CachePlace } from "./compose-cache.ts";
import { decideEvaluationResources } from "./evaluation-resources.ts";
import { gitAccess } from "./git-access.ts";
import { createInputAccess } from "./input-access.ts";
import { composeRetention, dropOldRoots, openGcRoots } from "./open-gc-roots.ts";
import { loadSigner, type Signer } from "../signing/signing-key-file.ts";
import { resolveSecretPath } from "../config/secrets.ts";
import { endLeftBehindIn } from "./end-left-behind-in.ts";
import type { Environment } from "../base/environment.ts";
import { createPolledCommits, createStoredFailedHooks, createUsualDurations } from "./builder-memory.ts";
import { prepareStateDirectory } from "./state-directory.ts";
import { submodulesOrigin } from "./submodules.ts";
import { programVersion } from "./program-version.ts";

export type ComposedBuilder = Omit<BuilderOptions, "bus">;

export interface ComposeOptions extends Pick<RetentionOptions, "deployedSystems"> {
  readonly config: Config;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

export async function composeBuilder(
  { config, environment, clock, log, deployedSystems }: ComposeOptions,
  signal: AbortSignal,
): Promise<ComposedBuilder> {
  const { builder } = config;
  const { stateDirectory } = builder;
  await prepareStateDirectory(stateDirectory, "builder.stateDirectory");
  await endLeftBehindIn(stateDirectory, { clock, log }, signal);
  const exec = createExec(clock, ownerEnvironment(stateDirectory));
  const nix = await createNix(
    {
      exec,
      environment,
      stateDirectory: join(stateDirectory, "nix"),
      inputAccess: createInputAccess({ config, stateDirectory, environment }),
      clock,
      log,
    },
    signal,
  );
  const gcRoots = openGcRoots({
    stateDirectory,
    nixStateDirectory: nix.stateDirectory,
    exec,
    environment,
    clock,
  });
  const retention = composeRetention({
    config,
    gcRoots,
    exec,
    environment,
    clock,
    log,
    deployedSystems,
  });
  const settings = engineSettings(builder, await decideResources(builder));
  return {
    name: builderName(builder),
    version: programVersion(),
    nix,
    gcRoots,
    servingProof: config.cache.verifyBuilds
      ? await composeServingProof(config, nix, { clock, environment }, log, signal)
      : undefined,
    statementSigner: await composeStatementSigner(builder, environment),
    dropOldRoots: (repos, until) => dropOldRoots(retention, repos, until),
    memory: createEvaluationMemory({
      directory: join(stateDirectory, "evaluations"),
      nixVersion: nix.version,
      settings: nix.evaluationDigest,
      log,
    }),
    repos: new Map(
      Object.entries(config.repos).map(([name, repo]): [RepoName, Repo] => {
        const repoName = name as RepoName; // the schema's keys are validated names
        return [repoName, composeRepo(repoName, repo, { stateDirectory, environment, exec, log })];
      }),
    ),
    polled: await createPolledCommits(join(stateDirectory, "polled.json")),
    durations: await createUsualDurations(join(stateDirectory, "durations.json")),
    failedHooks: await createStoredFailedHooks(join(stateDirectory, "failed-hooks.json"), clock.now(), log),
    clock,
    log,
    settings,
    lockedInputs,
    requestExpiryMs: builder.requestExpirySeconds * 1000,
    keepCommits: builder.keepCommits,
    stopMs: builder.stopSeconds * 1000,
    // The store does not exist before its first use.
    diskSpace: () => diskOf(nix.storeDirectory).catch(() => undefined),
  };
}

async function composeServingProof(
  { cache, builder }: Config,
  nix: Store,
  place: CachePlace,
  log: Log,
  signal: AbortSignal,
): Promise<ServingProof> {
  const access = await openCache(cache, {}, place, signal);
  const { stateDirectory } = builder;
  const proofs = await openProofMemory(cache, access, { stateDirectory, clock: place.clock, log });
  const verify = { ...composeVerification(cache, access), proofs };
  return createServingProof({ nix, url: access.url, verify });
}

async function composeStatementSigner(
  { statementKeyFile }: BuilderSettings,
  environment: Environment,
): Promise<Signer | undefined> {
  if (statementKeyFile === undefined) return undefined;
  return loadSigner(resolveSecretPath(statementKeyFile, environment["CREDENTIALS_DIRECTORY"]));
}

function composeRepo(
  name: RepoName,
  repo: RepoSettings,
  {
    stateDirectory,
    environment,
    exec,
    log,
  }: { stateDirectory: string; environment: Environment; exec: ReturnType<typeof createExec>; log: Log },
): Repo {
  return {
    name,
    branch: repo.branch,
    directory: repo.directory,
    submodulesOrigin: submodulesOrigin(name, repo),
    allowImportFromDerivation: repo.allowImportFromDerivation,
    exclusion: createHostFilter(repo),
    pollMs: repo.pollSeconds * 1000,
    mirror: createMirror({ ...gitAccess(name, repo, stateDirectory, environment), exec, log }),
  };
}

/** The configured name, or the machine's own up to its first dot. */
export function builderName({ name }: Pick<BuilderSettings, "name">): BuilderName {
  return (
    name ?? parseBuilderName((hostname().split(".")[0] ?? "").replaceAll(/[^A-Za-z0-9_-]/g, "-") || "builder")
  );
}

async function decideResources({
  evaluation,
}: BuilderSettings): Promise<ReturnType<typeof decideEvaluationResources>> {
  return decideEvaluationResources(evaluation, {
    cores: availableParallelism(),
    availableBytes: process.availableMemory(),
  });
}

function engineSettings(
  { build, evaluation, retry }: BuilderSettings,
  { workers, ...memory }: ReturnType<typeof decideEvaluationResources>,
): EngineSettings {
  const { timeoutSeconds, silenceSeconds, maxJobs, cores, minFreeGiB, withoutSubstituters } = build;
  const firstDelayMs = retry.firstDelaySeconds * 1000;
  return {
    evaluationSlots: workers,
    mostHostsOfEvaluator: evaluation.batchSize,
    evaluationLimits: { timeoutMs: evaluation.timeoutSeconds * 1000, ...memory },
    buildLimits: {
      timeoutSeconds,
      silenceSeconds,
      maxJobs,
      cores,
    },
    minFreeBytes: minFreeGiB * 2 ** 30,
    retryPolicy: { attempts: retry.attempts, firstDelayMs, factor: 3, maxDelayMs: 15 * 60_000 },
    withoutSubstituters,
  };
}
