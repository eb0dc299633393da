// Our GC roots, and what of them is kept: for the builder, and for the commands beside it.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { carryOutRetention, planRetention, type RetentionOptions } from "../cache/retain.ts";
import type { Config } from "../config/schema.ts";
import { createGcRoots } from "../nix/roots/create-gc-roots.ts";
import type { GcRoots } from "../nix/gc-roots.ts";
import type { Exec } from "../process/exec.ts";
import type { RepoName } from "../protocol/names.ts";
import { branchPrefix } from "../update/branch/decide-branch.ts";
import { openRepository } from "./open-repository.ts";
import type { Environment } from "../base/environment.ts";

export interface OpenGcRootsOptions {
  readonly stateDirectory: string;
  readonly nixStateDirectory: string;
  readonly exec: Exec;
  readonly environment: Environment;
  readonly clock: Clock;
}

export const openGcRoots = ({ stateDirectory, environment, ...options }: OpenGcRootsOptions): GcRoots =>
  createGcRoots({
    ...options,
    directory: join(stateDirectory, "gcroots"),
    environment: { PATH: environment["PATH"] ?? "" },
  });

export interface ComposeRetentionOptions {
  readonly config: Config;
  readonly gcRoots: GcRoots;
  readonly exec: Exec;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
  readonly deployedSystems?: RetentionOptions["deployedSystems"];
}

export function composeRetention({
  config,
  gcRoots,
  clock,
  deployedSystems,
  ...access
}: ComposeRetentionOptions): RetentionOptions {
  const { stateDirectory, keepCommits } = config.builder;
  return {
    gcRoots,
    keepNewest: keepCommits,
    deployedSystems,
    onUnknown: (repo, why) =>
      access.log.warn({ repo, err: why }, "what hosts run is unknown: everything that they may run is kept"),
    now: clock.now,
    async openUpdates(repo, signal) {
      const settings = config.repos[repo];
      if (settings === undefined) return new Set();
      const repository = openRepository({ repo, settings, stateDirectory, ...access });
      return new Set((await repository.remoteRefs(`refs/heads/${branchPrefix}`, signal)).values());
    },
  };
}

/** What the builder does after each build. */
export async function dropOldRoots(
  options: RetentionOptions,
  repos: readonly RepoName[],
  signal: AbortSignal,
): Promise<void> {
  await carryOutRetention(options, await planRetention(options, repos, signal), signal);
}
