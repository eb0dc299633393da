// What the deployer of one repo works with.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { BuildReader, FleetWatcher } from "../bus/bus.ts";
import type { DeployBus } from "../bus/deploy-bus.ts";
import type { DeployerBus } from "../bus/rollout-bus.ts";
import type { BranchName, Commit, RepoName } from "../protocol/names.ts";
import type { RolloutPolicy } from "../protocol/rollout/rollout-policy.ts";
import type { Rollout } from "../protocol/rollout/rollout.ts";
import type { Signer } from "../signing/signing-key-file.ts";
import type { Gates } from "./gates.ts";

export interface RolloutSettings {
  /** Whether a new build of the branch starts a rollout by itself. */
  readonly automatic: boolean;
  /** The only one whose builds are rolled out. */
  readonly branch: BranchName;
  /** The list of those whose signed commits may be rolled out; absent where any commit may. */
  readonly allowedSigners?: string;
  /** For so long an absent host is deployed when it comes back. */
  readonly whenOnlineMs: number;
  readonly policy: RolloutPolicy;
}

/** For people. */
export interface RolloutNotice {
  readonly type: "started" | "halted" | "finished";
  readonly rollout: Rollout;
}

export interface DeployerParts {
  readonly repo: RepoName;
  readonly settings: RolloutSettings;
  /** The name shown as the signer if nobody asked for the rollout. */
  readonly by: string;
  readonly reader: BuildReader;
  readonly bus: DeployBus;
  readonly rollouts: DeployerBus;
  readonly watcher: Pick<FleetWatcher, "watch" | "isConnected">;
  readonly signer: Signer;
  readonly gates: Gates;
  /**
   * Throws HomelabError unless one of the allowed signers has signed it, or where that cannot be determined; undefined
   * where any commit may be rolled out.
   */
  readonly verifyCommit?: (commit: Commit, signal: AbortSignal) => Promise<void>;
  /** Never fails: notifications do not change what happens. */
  readonly tell: (notice: RolloutNotice) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}
