// Remote builders that did not answer, or were lost. Nix prefers the machine that has the least to do. For each derivation,
// that is the one that is gone, and Nix waits until the connection fails.
import type { Clock } from "../../base/clock.ts";
import type { FailureAnalysis, RealiseOptions, Realiser } from "../../nix/realiser.ts";
import type { HostWork } from "../work.ts";
import type { WorkBoard } from "../work-board.ts";
import type { RemoteBuildNews } from "./machine-watch.ts";

export interface FailingMachines {
  observe(machine: string, news: RemoteBuildNews): void;
  /** Before the hosts that a machine failed are tried again, and their process has ended for everybody else. */
  learn(analysis: Pick<FailureAnalysis, "causes">): void;
  /** Those that failed lately. They are tried again by themselves. */
  current(): readonly string[];
}

/** Short enough that a machine that was restarted is used again soon. */
const avoidedMs = 5 * 60_000;

export function createFailingMachines(clock: Pick<Clock, "monotonic">): FailingMachines {
  const failedAt = new Map<string, number>();
  const note = (machine: string): void => void failedAt.set(machine, clock.monotonic());
  return {
    observe(machine, news) {
      if (news === "refused" || news === "infra-failed") note(machine);
    },
    learn({ causes }) {
      for (const { kind, machine } of causes.values())
        if (kind === "infra" && machine !== undefined) note(machine);
    },
    current() {
      const now = clock.monotonic();
      for (const [machine, at] of failedAt) if (now - at >= avoidedMs) failedAt.delete(machine);
      return [...failedAt.keys()];
    },
  };
}

export interface LeaveOutOptions {
  readonly board: Pick<WorkBoard, "warn">;
  readonly nix: Pick<Realiser, "machinesToSpare" | "choosesMachines">;
  readonly failingMachines: FailingMachines;
}

/** Leaves failing machines out of a Nix process where others can take their place, and says to the builds what happens. */
export function leaveOutMachines(
  { board, nix, failingMachines }: LeaveOutOptions,
  works: readonly HostWork[],
): Pick<RealiseOptions, "withoutMachines"> {
  const failing = failingMachines.current();
  const spared = failing.length === 0 ? [] : nix.machinesToSpare(failing);
  const builds = new Set(works.flatMap((work) => [...work.watchers]));
  for (const machine of spared) {
    board.warn(
      builds,
      nix.choosesMachines
        ? `the remote builder ${machine} is left out for some minutes: it did not answer, or was lost`
        : `the remote builder ${machine} did not answer, or was lost; Nix may use it again, because its daemon lets only trusted users leave it out`,
    );
  }
  return spared.length === 0 || !nix.choosesMachines ? {} : { withoutMachines: spared };
}
