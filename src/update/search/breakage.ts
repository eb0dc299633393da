// Whether hosts break at a revision of an input as they do with the whole update. A revision in the middle of a
// history can be broken for reasons of its own, which say nothing of what is looked for. Pure.
import type { BuildState, HostState } from "../../protocol/build-state.ts";
import type { HostName } from "../../protocol/names.ts";
import { isOwnFault } from "../../protocol/verdicts.ts";
import { allBuilt, type Probed } from "./probe-commit.ts";
import type { RevisionVerdict } from "./search-revisions.ts";

/** How each host breaks with the whole update: by what `failureMarks` says, or because it is not there. */
export type Breakage = ReadonlyMap<HostName, ReadonlySet<string> | "missing">;

export function breakageOf(state: BuildState, hosts: readonly HostName[]): Breakage {
  return new Map(
    hosts.map((host) => {
      const found = [...state.hosts.values()].find((each) => each.host === host);
      return [host, found === undefined ? "missing" : failureMarks(state, found)];
    }),
  );
}

/**
 * By what the same failure is known again at another revision: the derivations that failed by themselves, without
 * their versions, or the evaluation's error without what differs each time. Empty for a host that did not fail.
 */
function failureMarks(state: BuildState, { host, finished }: HostState): ReadonlySet<string> {
  if (finished === undefined || !isOwnFault(finished.verdict)) return new Set();
  if (finished.verdict === "eval-failed") return new Set([`evaluation ${steadyText(finished.reason ?? "")}`]);
  const failed = state.failures.filter(
    ({ kind, hosts }) => kind !== "infra" && hosts.some((each) => each.host === host),
  );
  if (failed.length === 0) return new Set([finished.verdict]);
  return new Set(failed.map(({ name }) => `derivation ${name.replace(/-\d.*$/, "")}`));
}

/** Without hashes, positions and versions. */
const steadyText = (text: string): string =>
  text
    .replaceAll(/\/nix\/store\/[0-9a-z]{32}-/g, "")
    .replaceAll(/\b[0-9a-f]{7,64}\b/g, "")
    .replaceAll(/\d+/g, "");

/** One host that breaks in the same way is enough; only where all build it is good. */
export function judgeRevision(probed: Probed, breakage: Breakage): RevisionVerdict {
  switch (probed.type) {
    case "unknown":
      return "skip";
    case "missing":
      return probed.hosts.some((host) => isMissing(breakage, host)) ? "bad" : "skip";
    case "built": {
      const { state } = probed;
      const isAlike = [...state.hosts.values()].some((host) => {
        const marks = breakage.get(host.host);
        return (
          marks !== undefined &&
          marks !== "missing" &&
          [...failureMarks(state, host)].some((mark) => marks.has(mark))
        );
      });
      if (isAlike) return "bad";
      return allBuilt(state, [...breakage.keys()]) ? "good" : "skip";
    }
  }
}

const isMissing = (breakage: Breakage, name: string): boolean =>
  [...breakage].some(([host, marks]) => host === name && marks === "missing");
