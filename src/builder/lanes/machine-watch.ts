// What happened to derivations on remote builders, for metrics of each machine.
import type { FailureAnalysis, FailureCause, NixActivity, RealiseResult } from "../../nix/realiser.ts";
import { machineName } from "../../protocol/machine-name.ts";
import type { StorePath } from "../../protocol/names.ts";

/**
 * How the build of a derivation on a machine ended:
 * - `failed`: the derivation is to blame, and would fail anywhere
 * - `infra-failed`: the machine was lost, or has no disk or memory left
 * - `interrupted`: ended from here, or together with another one
 */
export type RemoteResult = "built" | "failed" | "infra-failed" | "interrupted";

/** `refused`: Nix wanted to build something there and could not, such as when nobody answers. */
export type RemoteBuildNews = "started" | "refused" | RemoteResult;

export type OnRemoteBuild = (machine: string, news: RemoteBuildNews) => void;

export interface MachineWatch {
  take(activity: NixActivity): void;
  /**
   * Why derivations failed; later words replace earlier ones. While Nix runs, only a failure of a derivation's own is
   * certain: one that is still being built has no result either.
   */
  learn(analysis: Pick<FailureAnalysis, "causes">, when: "running" | "over"): void;
  /** Builds that Nix counted as failed, and nobody knows why: when several end at a time, it does not say which of them failed. */
  doubtful(): readonly StorePath[];
  /**
   * A Nix process has ended, and all of its failures are known: says what happened to its builds.
   *
   * @param built those of the doubtful ones that have their outputs
   */
  ended(result: Pick<RealiseResult, "machines">, built?: ReadonlySet<StorePath>): void;
  /** Nix hung with all that it was building, and was ended. */
  hung(): void;
  /** Nothing follows: what has no result was interrupted. */
  end(): void;
}

interface RemoteBuild {
  readonly machine: string;
  /** Nix said that it ended; it may count it as failed. */
  stopped?: "well" | "failed";
}

export function createMachineWatch(onNews: OnRemoteBuild): MachineWatch {
  const builds = new Map<StorePath, RemoteBuild>();
  const causes = new Map<StorePath, FailureCause>();

  function tell(claims: RealiseResult["machines"], built: ReadonlySet<StorePath>): void {
    for (const [drvPath, { machine, stopped }] of builds) {
      const how = built.has(drvPath) ? "well" : stopped;
      onNews(machine, decideResult(causes.get(drvPath)?.kind, how, claims?.claims.get(drvPath)));
    }
    builds.clear();
    causes.clear();
  }

  return {
    take(activity) {
      if (activity.type === "derivation-started") {
        const { drvPath, machine } = activity;
        // Built again, alone: how it ended before was unclear.
        const before = builds.get(drvPath);
        if (before !== undefined) onNews(before.machine, "interrupted");
        builds.delete(drvPath);
        causes.delete(drvPath);
        if (machine === undefined) return;
        builds.set(drvPath, { machine });
        onNews(machine, "started");
      } else if (activity.type === "derivation-stopped") {
        const build = builds.get(activity.drvPath);
        if (build !== undefined) build.stopped = activity.failed === true ? "failed" : "well";
      }
    },
    learn(analysis, when) {
      for (const [drvPath, cause] of analysis.causes) {
        if (when === "over" || cause.kind === "failed" || cause.kind === "timed-out")
          causes.set(drvPath, cause);
      }
    },
    doubtful: () =>
      [...builds].flatMap(([drvPath, { stopped }]) =>
        stopped === "failed" && !causes.has(drvPath) ? [drvPath] : [],
      ),
    ended({ machines }, built = new Set()) {
      for (const machine of machines?.refusals.keys() ?? []) onNews(machineName(machine), "refused");
      tell(machines, built);
    },
    hung() {
      for (const [drvPath, { machine, stopped }] of builds) {
        if (stopped !== undefined) continue;
        builds.delete(drvPath);
        onNews(machine, "infra-failed");
      }
    },
    end: () => tell(undefined, new Set()),
  };
}

/**
 * A failure that no host was judged by, as they all had their verdicts, has no cause: there, what the machine's own Nix
 * said counts, and when it said nothing it was lost.
 */
function decideResult(
  cause: FailureCause["kind"] | undefined,
  stopped: RemoteBuild["stopped"],
  claims: { readonly failed?: object; readonly excused?: object } | undefined,
): RemoteResult {
  if (cause === "failed" || cause === "timed-out") return "failed";
  if (cause === "infra") return "infra-failed";
  if (cause !== undefined || stopped === undefined) return "interrupted";
  if (claims?.failed !== undefined) return "failed";
  return claims?.excused !== undefined || stopped === "failed" ? "infra-failed" : "built";
}
