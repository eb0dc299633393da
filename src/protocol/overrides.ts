// A repo's flake with some of its inputs at other commits than its lock says: whether a change of one repo breaks
// another can be asked before either has it.
import { createHash } from "node:crypto";
import * as v from "valibot";
import { Commit, RepoName } from "./names.ts";

/** An input of a flake itself, by Nix's own rule (`flakeIdRegex`): it can be neither an option nor a path. */
export const FlakeInput = v.pipe(
  v.string(),
  v.maxLength(100),
  v.regex(/^[A-Za-z][A-Za-z0-9_-]*$/),
  v.brand("FlakeInput"),
);
export type FlakeInput = v.InferOutput<typeof FlakeInput>;

/** The input is this commit of a repo that the builder has, with that commit's own lock for all below it. */
export const Override = v.object({ input: FlakeInput, repo: RepoName, commit: Commit });
export type Override = v.InferOutput<typeof Override>;

export const Overrides = v.pipe(
  v.array(Override),
  v.minLength(1),
  v.maxLength(8),
  v.check(
    (overrides) => new Set(overrides.map(({ input }) => input)).size === overrides.length,
    "an input can be overridden only once",
  ),
);

/** What is evaluated: a repo's flake at a commit. */
export interface Revision {
  readonly commit: Commit;
  /** Identifies its overrides; absent for the commit as it is. */
  readonly variant?: Variant;
}

/** A digest: the same for the same overrides in any order. */
export const Variant = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/), v.brand("Variant"));
export type Variant = v.InferOutput<typeof Variant>;

export function variantOf(overrides: readonly Override[]): Variant | undefined {
  if (overrides.length === 0) return undefined;
  const lines = overrides.map(({ input, repo, commit }) => `${input} ${repo} ${commit}\n`).toSorted();
  return v.parse(Variant, createHash("sha256").update(lines.join("")).digest("hex").slice(0, 32));
}

/** For keys and files: `<commit>`, or `<commit>~<variant>`. */
export type RevisionName = Commit | `${Commit}~${Variant}`;

export const revisionName = ({ commit, variant }: Revision): RevisionName =>
  variant === undefined ? commit : `${commit}~${variant}`;

const NamedRevision = v.union([v.strictTuple([Commit]), v.strictTuple([Commit, Variant])]);

/** Undefined if the text is not such a name. */
export function parseRevisionName(name: string): Revision | undefined {
  const parsed = v.safeParse(NamedRevision, name.split("~"));
  if (!parsed.success) return undefined;
  const [commit, variant] = parsed.output;
  return variant === undefined ? { commit } : { commit, variant };
}

/**
 * The names to keep, of a list of revisions, newest first: so many commits, and as many with overrides. Overrides of one
 * commit do not take the room of other commits' builds.
 */
export function newestRevisions(byAge: readonly string[], keep: number): readonly string[] {
  const isVariant = (name: string): boolean => name.includes("~");
  return [
    ...byAge.filter((name) => !isVariant(name)).slice(0, keep),
    ...byAge.filter(isVariant).slice(0, keep),
  ];
}
