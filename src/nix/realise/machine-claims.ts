// What remote builders, and the ssh that leads to them, said. It reaches us through Nix's build hook, without the mark
// of Nix's own errors, so that a builder can say it as well: it is believed only where that cannot accuse anybody else,
// see `claimAbout`.
import type { FailureMessage } from "./failure-message.ts";
import type { StorePath } from "../../protocol/names.ts";

/** How a build on a machine ended, in the words of Nix on that machine: `build of 'D' on 'ssh://arm1' failed: …`. */
export interface MachineClaims {
  /** The last one that says how the derivation failed, and the last one that excuses it. */
  readonly failed?: FailureMessage;
  readonly excused?: FailureMessage;
}

export interface MachineReports {
  /** Only of derivations that Nix said to have started on a machine. */
  readonly claims: ReadonlyMap<StorePath, MachineClaims>;
  /** Why Nix cannot build on a machine, by its URI. */
  readonly refusals: ReadonlyMap<string, string>;
  /** Other errors that came through the hook, the last of them last: they do not say about which build. */
  readonly others: readonly string[];
}

export const noReports: MachineReports = { claims: new Map(), refusals: new Map(), others: [] };

/** The machine's disk, memory or connection; SIGKILL is how its kernel ends what there is no memory for. */
export const isExcuse = ({ end, diskFull }: FailureMessage): boolean =>
  diskFull ||
  end.type === "environment" ||
  end.type === "substitution" ||
  end.type === "no-builder" ||
  (end.type === "signal" && end.signal === 9) ||
  (end.type === "exit-code" && end.exitCode === 128 + 9);

/**
 * What is to be believed of how a build on a machine ended. A builder speaks before Nix on its machine does, so that it
 * cannot excuse itself where both speak. It can claim something about another build, though, while that one is lost;
 * where it may have done so nothing is believed, and who is built alone tells.
 */
export function claimAbout(
  { failed, excused }: MachineClaims,
  others: readonly string[],
  alone: boolean,
): FailureMessage | "contested" | undefined {
  if (failed === undefined) return excused;
  return alone || (excused === undefined && others.length === 0) ? failed : "contested";
}
