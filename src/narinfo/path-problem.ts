// What can be wrong with a path in a cache.

export const pathProblems = [
  /** There is no narinfo, or no NAR. */
  "missing",
  /** The narinfo has no signature at all. */
  "unsigned",
  /** It has signatures, but none that is both valid and by a trusted key. */
  "wrongly-signed",
  /** The content does not match the description: not a narinfo, not a NAR, cut off, of another size or hash. */
  "corrupt",
  /** It is sound and signed, but not what this machine's store has under the same name. */
  "stale",
  /** The server refuses it to us (401, 403, a redirect that leads nowhere, …): nothing is known about the path. */
  "refused",
  /** There was no answer, or only errors of the server: nothing is known about the path. */
  "unanswered",
] as const;

export type PathProblem = (typeof pathProblems)[number];
