// What can be wrong with a path in a cache.

export const pathProblems = [
  /** There is no narinfo, or no NAR. */
  "missing",
  /** The narinfo has no signature at all. */
  "unsigned",
  /** It has some, and none of them is both valid and by a trusted key. */
  "wrongly-signed",
  /** What is served is not what it says that it is: no narinfo, no NAR, cut off, of another size or hash. */
  "corrupt",
  /** It is sound and signed, but not what this machine's store has under the same name. */
  "stale",
  /** The server does not let us have it (401, 403, a redirect that leads nowhere, …): nothing is known about the path. */
  "refused",
  /** There was no answer, or only errors of the server: nothing is known about the path. */
  "unanswered",
] as const;

export type PathProblem = (typeof pathProblems)[number];
