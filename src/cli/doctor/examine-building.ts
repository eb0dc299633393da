// What a machine needs that builds: Nix, room and memory, git, and each repo with its inputs and its flake.
import { join } from "node:path";
import { silentLog } from "../../base/log.ts";
import type { RepoSettings } from "../../config/repo-schema.ts";
import type { Config } from "../../config/schema.ts";
import type { InstalledNix } from "../../nix/create-nix.ts";
import type { FlakeLock } from "../../nix/lock/flake-lock.ts";
import { createExec } from "../../process/create-exec.ts";
import { parseRepoName, type StorePath } from "../../protocol/names.ts";
import { decideEvaluationResources } from "../../wiring/evaluation-resources.ts";
import { createInputAccess } from "../../wiring/input-access.ts";
import { openRepository } from "../../wiring/open-repository.ts";
import { submodulesOrigin } from "../../wiring/submodules.ts";
import type { Context } from "../context.ts";
import { checkDisk, checkStateDirectory } from "./check-disk.ts";
import { checkFlake } from "./check-flake.ts";
import { checkInputs } from "./check-inputs.ts";
import { judgeMemory, memoryOfMachine } from "./check-memory.ts";
import { checkNix } from "./check-nix.ts";
import { checkGit, checkRemotes, type RemoteParts } from "./check-remotes.ts";
import { judgeUpdateInputs } from "./check-update-inputs.ts";
import { isWrong, type Finding } from "./finding.ts";

export interface BuildingPlace {
  /** Ours alone. */
  readonly directory: string;
  /** What cannot be looked at: `repo fleet`. */
  readonly without: ReadonlySet<string>;
}

export interface BuildingCheck {
  readonly nix: InstalledNix | undefined;
  /** What the trial build left in the store. */
  readonly built?: StorePath;
  readonly findings: readonly Finding[];
}

export async function examineBuilding(
  context: Context,
  config: Config,
  { directory, without }: BuildingPlace,
  signal: AbortSignal,
): Promise<BuildingCheck> {
  const { environment, clock } = context;
  const { repos, builder, update } = config;
  const exec = createExec();
  const inputAccess = createInputAccess({ config, stateDirectory: directory, environment });
  const { nix, findings, builds, built } = await checkNix(
    { environment, clock, exec, directory: join(directory, "nix"), inputAccess },
    signal,
  );
  const floorBytes = builder.build.minFreeGiB * 2 ** 30;
  const disks = nix === undefined ? [] : [await checkDisk("store disk", nix.storeDirectory, floorBytes)];
  const git = { exec, environment, directory: join(directory, "git") };
  const memory = memoryOfMachine();
  const looked = [
    ...findings,
    ...disks,
    judgeMemory(builder.evaluation, memory),
    await checkStateDirectory(builder.stateDirectory, "builder.stateDirectory"),
    ...(update.stateDirectory === undefined
      ? []
      : [await checkStateDirectory(update.stateDirectory, "update.stateDirectory")]),
  ];
  const program = await checkGit(git, signal);
  if (program.some(isWrong)) return { nix, built, findings: [...looked, ...program] };
  const seen = Object.fromEntries(Object.entries(repos).filter(([repo]) => !without.has(`repo ${repo}`)));
  const remotes = await checkRemotes(seen, git, signal);
  const readable = Object.fromEntries(
    Object.entries(seen).filter(([repo]) =>
      remotes.some(({ check, state }) => check === `repo ${repo}` && state === "ok"),
    ),
  );
  const inputs = await checkInputs({ ...config, repos: readable }, git, signal);
  const flakes =
    nix === undefined || !builds
      ? []
      : await examineFlakes(config, readable, { nix, git, directory, memory, inputs }, signal);
  return { nix, built, findings: [...looked, ...program, ...remotes, ...inputs, ...flakes] };
}

interface FlakesPlace {
  readonly nix: InstalledNix;
  readonly git: RemoteParts;
  readonly directory: string;
  readonly memory: ReturnType<typeof memoryOfMachine>;
  /** A problem with an input is a problem with each evaluation that needs it. */
  readonly inputs: readonly Finding[];
}

async function examineFlakes(
  { builder, repos: all }: Config,
  repos: Readonly<Record<string, RepoSettings>>,
  { nix, git, directory, memory, inputs }: FlakesPlace,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { exec, environment } = git;
  const { maxMemoryBytes } = decideEvaluationResources(builder.evaluation, memory);
  const limits = { timeoutMs: builder.evaluation.timeoutSeconds * 1000, maxMemoryBytes };
  const locks = new Map<string, FlakeLock>();
  const inventories = new Map<string, readonly string[]>();
  const findings: Finding[] = [];
  // One after the other: each evaluation takes its share of the memory.
  for (const [name, settings] of Object.entries(repos)) {
    const repo = parseRepoName(name);
    const place = { repo, settings, stateDirectory: directory, exec, environment, log: silentLog };
    const parts = {
      nix,
      systems: nix.systems,
      repository: openRepository(place),
      submodulesOrigin: submodulesOrigin(name, settings),
      limits,
    };
    const { findings: found, lock, names } = await checkFlake(name, settings, parts, signal);
    if (lock !== undefined) locks.set(name, lock);
    if (names !== undefined) inventories.set(name, names);
    const isExplained = inputs.some(({ check, state }) => state === "wrong" && check.endsWith(` of ${name}`));
    findings.push(...(isExplained ? found.filter((finding) => !isWrong(finding)) : found));
  }
  return [...findings, ...judgeUpdateInputs(all, { locks, inventories })];
}
