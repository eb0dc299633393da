import { access, constants, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Exec } from "../process/exec.ts";
import type { StorePath } from "../protocol/names.ts";
import {
  judgeBuildUsers,
  readGroup,
  withoutBuildUsers,
  type MissingBuildUsers,
} from "./settings/build-users.ts";
import { createClosureReader } from "./store/closure.ts";
import { createDerivationReader } from "./store/derivation.ts";
import { createNixCache } from "./evaluate/nix-cache.ts";
import { createEvaluator } from "./evaluate/create-evaluator.ts";
import { createFindFailures } from "./realise/failures.ts";
import type { Evaluator } from "./evaluator.ts";
import { openToAll, type InputAccess } from "./input-access.ts";
import type { Locker } from "./locker.ts";
import { nixEnvironment, prepareNixDirectory } from "./nix-environment.ts";
import type { Realiser } from "./realiser.ts";
import type { Store } from "./store.ts";
import { machineName } from "../protocol/machine-name.ts";
import {
  buildableSystems,
  replaceableMachines,
  type BuildPlaces,
  type Machine,
} from "./settings/machines.ts";
import { readNixSettings, type IgnoredSetting } from "./settings/nix-settings.ts";
import { createPathFactsReader } from "./store/path-facts.ts";
import { createRevisionLocker } from "./lock/lock-revision.ts";
import { createRealise } from "./realise/realise.ts";
import { isFull } from "./realise/store-room.ts";
import { createRemoteTrial, createTrialBuild, type RemoteTrial } from "./realise/trial-build.ts";
import { createStoreQueries } from "./store/store-queries.ts";
import { createAskSubstituter } from "./settings/ask-substituter.ts";
import { createSubstituterProber } from "./settings/substituters.ts";
import { createUnbuilt } from "./store/unbuilt.ts";
import { readBuildUser } from "./settings/build-user.ts";
import { isTrusted, type NixConfig } from "./settings/unsafe-settings.ts";
import { createLockUpdater } from "./lock/update-lock.ts";

export interface NixOptions {
  readonly exec: Exec;
  /** The environment of this process; Nix gets only what is about its store and the network. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ours alone, for Nix's caches and for builds. */
  readonly stateDirectory: string;
  /** Default: only inputs that are open to everybody can be fetched. */
  readonly inputAccess?: InputAccess;
  readonly clock: Clock;
  readonly log: Log;
}

/** All that Nix does for us, and what only those who install it ask. */
export interface InstalledNix extends Evaluator, Store, Realiser, Locker {
  /** The system that it builds for: `x86_64-linux`. */
  readonly system: string;
  /** Nix's own: `/nix/var/nix`. */
  readonly stateDirectory: string;
  /** The digest of nix.conf: what decides how a flake evaluates. */
  readonly evaluationDigest: string;
  /** The settings of nix.conf: what unsafe-settings.ts judges. */
  readonly settings: NixConfig;
  readonly ignoredSettings: readonly IgnoredSetting[];
  readonly missingBuildUsers: MissingBuildUsers | undefined;
  /** Builds something that needs nothing but Nix, and gives its path. @throws HomelabError `unavailable` `NIX_CANNOT_BUILD` */
  tryBuild(signal: AbortSignal): Promise<StorePath | undefined>;
  /** What nix.conf says about where builds run: here, and on which remote builders. */
  readonly places: BuildPlaces;
  /** Has a remote builder build the same. */
  tryRemoteBuild(machine: Machine, signal: AbortSignal): Promise<RemoteTrial>;
}

/**
 * The Nix of this machine.
 *
 * @throws HomelabError `unavailable` with code `NIX_MISSING` or `NIX_BROKEN`.
 */
export async function createNix(
  { exec, environment: inherited, stateDirectory, inputAccess = openToAll, clock, log }: NixOptions,
  signal: AbortSignal,
): Promise<InstalledNix> {
  const ours = nixEnvironment(inherited, stateDirectory);
  await prepareNixDirectory(stateDirectory);
  const settings = await readNixSettings(exec, ours, signal);
  const opensStoreItself = await decideOpensStoreItself(ours["NIX_REMOTE"], settings.stateDirectory);
  const { buildUsersGroup: group, allocatesUids } = settings;
  const missingBuildUsers = judgeBuildUsers({
    group,
    allocatesUids,
    opensStoreItself,
    isRoot: process.getuid?.() === 0,
    members: group === "" ? [] : await readGroup(exec, ours, group, signal),
  });
  const environment = missingBuildUsers?.builds === "root" ? { ...ours, ...withoutBuildUsers } : ours;
  log.debug({ ...settings, opensStoreItself }, "found Nix");
  if (missingBuildUsers?.builds === "root") {
    log.warn({ group }, "builds run as root: the group of build-users-group is not there or has no members");
  } else if (missingBuildUsers !== undefined) {
    log.error(
      { group },
      "the Nix daemon cannot build: the group of build-users-group is not there or has no members",
    );
  }

  const { version, storeDirectory } = settings;
  const buildsDirectory = buildsDirectoryOf(stateDirectory);
  const running = { exec, environment };
  const queries = createStoreQueries(running);
  const readDerivation = createDerivationReader();
  const store: Store = {
    storeDirectory,
    ...queries,
    readDerivation,
    unbuilt: createUnbuilt({ readDerivation, present: queries.present }),
    ...createClosureReader(running),
    ...createPathFactsReader(running),
  };
  const evaluator: Evaluator = createEvaluator({
    ...running,
    inputAccess,
    version,
    buildsDirectory,
    clock,
    outOfMemoryKills: countOutOfMemoryKills,
    nixCache: createNixCache(environment, (reason) =>
      log.warn({ reason }, "Nix's own cache is dropped: a git repository in it is damaged"),
    ),
    readDerivation,
    readLog: queries.readLog,
    storeDirectory,
  });
  const realiser: Realiser = {
    version,
    systems: buildableSystems(settings.places),
    machines: settings.places.machines.map(({ uri }) => machineName(uri)),
    choosesMachines:
      opensStoreItself ||
      (settings.places.machines.length > 0 &&
        isTrusted(settings.judged, await readBuildUser(exec, ours, signal))),
    machinesToSpare: (names) => replaceableMachines(settings.places, names),
    slots: settings.slots,
    probeSubstituters: createSubstituterProber({
      substituters: settings.substituters,
      ask: createAskSubstituter({ ...running, storeDirectory, opensStoreItself }),
      clock,
    }),
    realise: createRealise({
      ...running,
      readDerivation,
      machines: settings.places.machines,
      clock,
      log,
      version,
      opensStoreItself,
      buildsDirectory,
      countOutOfMemoryKills,
    }),
    findFailures: createFindFailures({
      readDerivation,
      validPaths: queries.validPaths,
      present: queries.present,
      readLog: queries.readLog,
      places: settings.places,
      isStoreFull: async () => isFull(storeDirectory),
    }),
  };
  const locker: Locker = {
    ...createLockUpdater({ ...running, inputAccess, version }),
    ...createRevisionLocker({ ...running, inputAccess }),
  };
  return {
    ...store,
    ...evaluator,
    ...realiser,
    ...locker,
    system: settings.system,
    stateDirectory: settings.stateDirectory,
    evaluationDigest: settings.evaluationDigest,
    settings: settings.judged,
    ignoredSettings: settings.ignored,
    missingBuildUsers,
    tryBuild: createTrialBuild(running),
    places: settings.places,
    tryRemoteBuild: createRemoteTrial(running),
  };
}

/** @param stateDirectory as of `NixOptions` */
export const buildsDirectoryOf = (stateDirectory: string): string => join(stateDirectory, "builds");

/** Nix's own rule for its setting `auto`: the daemon is for those who may not write to the state directory. */
async function decideOpensStoreItself(remote: string | undefined, stateDirectory: string): Promise<boolean> {
  if (remote !== undefined && remote !== "" && remote !== "auto") return remote.startsWith("local");
  return access(stateDirectory, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** Processes that the kernel killed for lack of memory since it started (Linux 4.13 and newer; 0 where it does not say). */
export async function countOutOfMemoryKills(): Promise<number> {
  const counters = await readFile("/proc/vmstat", "utf8").catch(() => "");
  return Number(/^oom_kill (?<count>\d+)$/m.exec(counters)?.groups?.["count"] ?? 0);
}
