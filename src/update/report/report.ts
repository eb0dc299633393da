// What came of an update, as data. What people read is made from it, in report-markdown.ts and report-headline.ts.
// Its texts may be from outside; `redactReport` bounds them.
import type { MergedChange } from "../../nix/store/closure-diff.ts";
import type { InputChange } from "../../nix/lock/flake-lock-diff.ts";
import type { BranchName, Commit, RepoName } from "../../protocol/names.ts";
import type { HostClass } from "../judge/decide-classes.ts";
import type { Blocker } from "../judge/decide-blocker.ts";
import type { BisectedInput } from "../search/bisect-input.ts";
import type { UnknownSystems } from "../landed/system-comparison.ts";
import type { RegistryInput } from "../../nix/lock/registry-inputs.ts";
import type { UnreachedInput } from "../journal.ts";

export interface ReportedHost {
  readonly host: string;
  readonly class: HostClass;
  /** Whether the host counts; only for hosts of a repo that uses this one, which are named `<repo>/<host>`. */
  readonly part?: "required" | "advisory";
  /** Milliseconds of its build. */
  readonly durationMs?: number;
  /** Bytes of everything that its system needs, and how many more than before. */
  readonly closureSize?: number;
  readonly sizeDelta?: number;
  /** Parts that only change with a reboot: `kernel`, `systemd`. */
  readonly reboot: readonly string[];
  /** Why it does not build, in a line. */
  readonly message?: string;
}

export interface RootFailure {
  /** The name of the derivation without its hash, or of the host where it does not evaluate. */
  readonly name: string;
  readonly drvPath?: string;
  readonly hosts: readonly string[];
  readonly phase?: string;
  readonly reason: string;
  /** The end of its log. */
  readonly tail: string;
  /** The name of the file with the whole log. */
  readonly attachment?: string;
  /** The input by which it came, where that was found out. */
  readonly input?: string;
}

export interface FlakePlace {
  /** Absent for the root of the repository. */
  readonly directory?: string;
  readonly submodules?: boolean;
}

/** One commit of an input. */
export interface ReportedRevision {
  readonly rev: Commit;
  readonly date: string;
  readonly subject: string;
}

export interface BisectedReport extends Omit<BisectedInput, "firstBad" | "suspects"> {
  readonly firstBad?: ReportedRevision;
  readonly suspects?: { readonly count: number; readonly last: ReportedRevision };
}

/** Why a person has to look at it although everything may build. */
export interface ReviewReason {
  readonly reason: Blocker["reason"] | "policy";
  readonly message: string;
  /** What to change so that the next update lands. */
  readonly advice?: string;
}

export interface UpdateReport {
  readonly v: 1;
  readonly run: string;
  readonly repo: RepoName;
  /** The branch to land on, and the commit of it that the candidate stands on. */
  readonly branch: BranchName;
  readonly base: Commit;
  readonly candidate: Commit;
  /** The commit that is on the branch, once it has landed: the candidate. */
  readonly landed?: Commit;
  /** Where the candidate is to be found. */
  readonly updateBranch: BranchName;
  /** What of the settings decides which flake of the commit it is. */
  readonly flake?: FlakePlace;
  /** One sentence. */
  readonly verdict: string;
  readonly inputs: readonly InputChange[];
  readonly hosts: readonly ReportedHost[];
  readonly failures: readonly RootFailure[];
  /** Inputs that were unreachable, and stay as the base has them. */
  readonly unavailable: readonly UnreachedInput[];
  /** Inputs that a registry decides, and what to write into flake.nix instead. */
  readonly registry: readonly RegistryInput[];
  /** Inputs that are proven to break hosts; those that stand together break them only together. */
  readonly culprits: readonly (readonly string[])[];
  /** Inputs that the broken hosts build with, and that wait for the culprits because `partialLanding` is off. */
  readonly rest?: readonly string[];
  /** Why no input is named, where they were looked for. */
  readonly unproven?: string;
  /** What is known about the revisions of culprits. */
  readonly bisected: readonly BisectedReport[];
  readonly packages: readonly MergedChange[];
  /** Hosts whose systems could not be compared here, and why. */
  readonly notCompared: readonly UnknownSystems[];
  /** Warnings that the base did not have. */
  readonly warnings: readonly { readonly text: string; readonly hosts: readonly string[] }[];
  readonly review: readonly ReviewReason[];
  /** Secrets that were taken out of its texts. */
  readonly redactions: number;
}

/** One JSON document in valid UTF-8; Gitea refuses any other. */
export const printReport = (report: UpdateReport): string =>
  `${JSON.stringify(report, (_, value: unknown) => (typeof value === "string" ? value.toWellFormed() : value), 2)}\n`;
