// A build that this process holds.
import type { CommitMemory, FlakeSource } from "../nix/nix.ts";
import type { DerivationFailure, HostRef, UnresolvedRepo } from "../protocol/events.ts";
import type { BuildId, FullHostName, RepoName, StorePath } from "../protocol/names.ts";
import type { Revision } from "../protocol/overrides.ts";
import type { Priority } from "../protocol/request.ts";
import type { HostVerdict } from "../protocol/verdicts.ts";
import type { BuildLogs } from "./build-logs.ts";
import type { BuildRecord } from "./build-record.ts";
import type { HostWork } from "./host-work.ts";
import type { ProgressBoard } from "./progress-board.ts";

/** A repo at the commit that the build is about, perhaps with overrides. */
export interface BuildSource extends Revision {
  readonly repo: RepoName;
  /** It was the tip of the repo's configured branch. */
  readonly isHead: boolean;
  readonly flake: FlakeSource;
  readonly allowImportFromDerivation: boolean;
  /** What earlier builds found out about this commit. */
  readonly memory: CommitMemory;
}

export interface RunningBuild {
  readonly id: BuildId;
  readonly priority: Priority;
  readonly sources: ReadonlyMap<RepoName, BuildSource>;
  readonly record: BuildRecord;
  readonly logs: BuildLogs;
  readonly progress: ProgressBoard;
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** Every host of the inventory that was asked for. */
  readonly hosts: readonly HostRef[];
  /** Repos that were asked for and could not be read: whatever becomes of the hosts, the build is no success. */
  readonly unresolved: readonly UnresolvedRepo[];
  /** By host; nothing until it has its verdict. */
  readonly verdicts: Map<FullHostName, HostVerdict>;
  /** Work for the hosts without a verdict. */
  readonly open: Map<FullHostName, HostWork>;
  /** Failed derivations that the log names: none of them is built, or its log stored, a second time. */
  readonly failures: Map<StorePath, DerivationFailure>;
  /** A bug in homelab-deploy ended one of its hosts, so nobody may rely on what it says. */
  hasBug: boolean;
  readonly warningsSaid: Set<string>;
}
