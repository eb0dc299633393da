// What a build changed: which hosts fail that did not before, and which are mended.
import type { BuildState, HostState } from "../../protocol/build-state.ts";
import { fullName } from "../../protocol/names.ts";
import { isOwnFault, isSuccess } from "../../protocol/verdicts.ts";

export const changeKinds = [
  "newly failing",
  "still failing",
  "fixed",
  "no verdict",
  "built",
  "unchanged",
  "unfinished",
] as const;
export type ChangeKind = (typeof changeKinds)[number];

/**
 * A host without a known earlier verdict counts as newly failing when it fails.
 *
 * @param before builds of the same branch, newest first
 */
export function decideChange(host: HostState, before: readonly BuildState[]): ChangeKind {
  const verdict = host.finished?.verdict;
  if (verdict === undefined) return "unfinished";
  const earlier = before
    .map((state) => state.hosts.get(fullName(host))?.finished?.verdict)
    .find((each) => each !== undefined && (isSuccess(each) || isOwnFault(each)));
  const failedBefore = earlier !== undefined && isOwnFault(earlier);
  if (isOwnFault(verdict)) return failedBefore ? "still failing" : "newly failing";
  if (!isSuccess(verdict)) return "no verdict";
  if (failedBefore) return "fixed";
  return verdict === "built" ? "built" : "unchanged";
}
