// What the parts of an update say to one another.
import type { BisectedInput, InputHistory } from "./search/bisect-input.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { BuildReader } from "../bus/bus.ts";
import type { CommitStatusSpecification, FileToAttach, LabelSpecification } from "../forge/forge.ts";
import type { Repository } from "../git/git.ts";
import type { BuildState } from "../protocol/build-state.ts";
import type { BranchName, Commit, RepoName } from "../protocol/names.ts";
import type { LandedEffect } from "../protocol/update-events.ts";
import type { Candidate } from "./candidate.ts";
import type { Classes, Outcome, Policy } from "./judge/decide-classes.ts";
import type { KeptFindings } from "./kept/kept-findings.ts";
import type { KeptBuilds } from "./kept/kept-builds.ts";
import type { Journal } from "./journal.ts";
import type { Blocker } from "./judge/decide-blocker.ts";
import type { Downstream, DownstreamVerdict } from "./judge/judge-downstream.ts";

/** What a run has done so far, and the time that it lives in: every wing has these. */
export interface Run {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where updates come from and go to. */
export interface Source {
  readonly repo: RepoName;
  readonly branch: BranchName;
  /** The path of flake.lock in the repository. */
  readonly lockPath: string;
  readonly repository: Repository;
  readonly upstream: Upstream;
  readonly author: { readonly name: string; readonly email: string };
  /** The host names of forges that are Gitea, for links to what changed. */
  readonly giteaHosts: readonly string[];
  /** Only these; all if absent. */
  readonly inputs?: readonly string[];
}

/** The builder, and what counts. */
export interface Judging {
  readonly builds: BuildReader;
  readonly kept?: KeptBuilds;
  readonly policy: Policy;
  /** Repos that have this one as an input, and are built with it. */
  readonly downstream: readonly Downstream[];
  /** What started the update, for those who look at builds. */
  readonly trigger: string;
}

/** For finding what breaks an update. */
export interface Searching {
  /** The inputs' revisions, for finding the one that breaks hosts. */
  readonly history: InputHistory;
  readonly keptFindings?: KeptFindings;
  /** Parts that are built at most, and for how long; 0 looks for nothing. */
  readonly search: { readonly parts: number; readonly milliseconds: number };
  /** Whether what does not break it lands without the others. */
  readonly partialLanding: boolean;
}

/** What others can see: branches, pull requests, announcements. */
export interface Publishing {
  readonly land: Land;
  /** Says the verdict about a commit where people look for it; never fails. */
  readonly tellStatus: (
    commit: Commit,
    status: CommitStatusSpecification,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Branches that people have taken over without a commit: by a review, or a label. */
  readonly branchesOfPeople: (signal: AbortSignal) => Promise<ReadonlySet<string>>;
}

/** What Nix does for an update. */
export interface Upstream {
  /**
   * The lock with all inputs, or these, brought up to date now; with none of them only as flake.nix demands it.
   * @throws InputUnavailableError when one of them cannot be had; HomelabError.
   */
  updateLock(base: Commit, inputs: readonly string[] | undefined, signal: AbortSignal): Promise<string>;
  /** Attributes of `nixosConfigurations` at a commit. */
  listHosts(commit: Commit, signal: AbortSignal): Promise<readonly string[]>;
}

export interface Validated {
  readonly candidate: Candidate;
  readonly state: BuildState;
  /** The build of the base, for the hosts that fail; absent if none does. */
  readonly baseState?: BuildState;
  readonly classes: Classes;
  /** Whether its verdicts are those that an earlier run was told. */
  readonly isRemembered?: boolean;
  readonly downstream: readonly DownstreamVerdict[];
  readonly outcome: Outcome;
}

export type UpdateResult =
  | { readonly type: "no-change"; readonly base: Commit }
  | ({ readonly type: "landed"; readonly branch: BranchName; readonly found?: Found } & Validated)
  /** Validated and good, but not landed. */
  | ({
      readonly type: "not-landed";
      readonly branch: BranchName;
      readonly why: Blocker;
      readonly found?: Found;
    } & Validated)
  | ({ readonly type: "broken"; readonly branch: BranchName; readonly found?: Found } & Validated)
  | ({ readonly type: "infra"; readonly branch: BranchName; readonly found?: Found } & Validated)
  /** A dry run: what would have happened to it. */
  | ({ readonly type: "dry-run"; readonly wouldLand: boolean; readonly why?: Blocker } & Validated);

/** `moved`: the branch is no longer at the candidate's base, and nothing has changed. */
export type Landed =
  | { readonly type: "landed" | "moved" }
  | { readonly type: "refused"; readonly why: Blocker };

/** Moves the branch from the candidate's base to exactly its commit, which is on the update's branch too. */
export type Land = (validated: Validated, updateBranch: BranchName, signal: AbortSignal) => Promise<Landed>;

/** Why it is broken as far as is known, and which part of it landed nevertheless. */
export interface Found {
  /**
   * Each of these breaks hosts by itself, and without all of them the rest builds. Inputs that stand together break
   * them only together.
   */
  readonly culprits: readonly (readonly string[])[];
  /** Why no input is a culprit, in a clause. Has text from outside. */
  readonly unproven?: string;
  /** The culprits, as far as their revisions were bisected. */
  readonly bisected: readonly BisectedInput[];
  readonly landed?: { readonly commit: Commit; readonly inputs: readonly string[] };
  /** What builds on the hosts that fail and could not land all the same, and why, in a clause. */
  readonly held?: { readonly inputs: readonly string[]; readonly why: string };
}

/** What a proposal says beside the verdicts. */
export interface ProposalContext {
  readonly branch: BranchName;
  /** Why it did not land although it builds. */
  readonly why?: Blocker;
  readonly found?: Found;
  /** It is about to land. Whatever takes long, such as comparing systems, is announced afterwards. */
  readonly isLanding?: boolean;
}

/** A commit that is on the branch. */
export interface LandedCommit {
  readonly base: Commit;
  readonly commit: Commit;
  /** Where an earlier run landed it, or only a part, nobody has it any more. */
  readonly validated?: Validated;
  readonly branch?: BranchName;
}

/**
 * What a landed commit changes on the hosts, told after it has landed; it writes the report too. Bounded in time.
 *
 * @returns undefined where nothing could be found out
 */
export type Explain = (landed: LandedCommit, signal: AbortSignal) => Promise<LandedEffect | undefined>;

/** What the pull request says, ready to be sent. */
export interface Proposal {
  readonly title: string;
  /** With our marker. */
  readonly body: string;
  readonly labels: readonly LabelSpecification[];
  /** The digest of the candidate's lock, as in the marker. */
  readonly lock: string;
  readonly comments: readonly ProposalComment[];
}

/** One for each failure: its log as a file, and its end in the text. */
export interface ProposalComment {
  readonly marker: string;
  readonly body: string;
  readonly file?: FileToAttach;
  /** Instead of `body` where the forge does not take the file. */
  readonly bodyWithoutFile?: string;
}

/** The report of what was validated, as a pull request says it; it is also written for those who look here. */
export type Describe = (
  validated: Validated,
  context: ProposalContext,
  signal: AbortSignal,
) => Promise<Proposal>;
