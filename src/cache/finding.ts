// What was found wrong with the paths of a cache.
import { pathProblems, type PathProblem } from "../narinfo/path-problem.ts";
import type { StorePath } from "../protocol/names.ts";

export interface Finding {
  readonly path: StorePath;
  readonly problem: PathProblem;
  /** Why, in words for people. */
  readonly detail: string;
}

/** `missing 2, unsigned 1`: how many of what, in the order above. */
export function countProblems(findings: readonly Finding[]): string {
  return pathProblems
    .map((problem) => [problem, findings.filter((finding) => finding.problem === problem).length] as const)
    .filter(([, count]) => count > 0)
    .map(([problem, count]) => `${count} ${problem}`)
    .join(", ");
}
