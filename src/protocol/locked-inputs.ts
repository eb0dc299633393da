// What flake.lock of a commit says about the flake's own inputs, as builds tell it.
import * as v from "valibot";

const most = 64;

/** One input that is locked by itself: one that follows another is told by that one. */
export const LockedInput = v.object({
  input: v.pipe(v.string(), v.maxLength(128)),
  /** Where it comes from, for people: `github:NixOS/nixpkgs`. Text from outside. */
  source: v.pipe(v.string(), v.maxLength(256)),
  /** A revision, or the hash of its content where there is none, such as for a path. */
  rev: v.optional(v.pipe(v.string(), v.maxLength(128))),
  /** When this state was made, in seconds since 1970; absent where the lock has no time that says so. */
  madeAt: v.optional(v.pipe(v.number(), v.safeInteger())),
  /** flake.nix names this very revision, so no update moves it. */
  isPinned: v.optional(v.literal(true)),
});
export type LockedInput = v.InferOutput<typeof LockedInput>;

/** In the order of their names. A flake with more inputs tells none: some of them would look like all. */
export const LockedInputs = v.pipe(v.array(LockedInput), v.maxLength(most));

export const fitsLockedInputs = (inputs: readonly LockedInput[]): boolean => v.is(LockedInputs, inputs);

/** The names of those that were added, removed, or are in another state. */
export function changedInputs(
  before: readonly LockedInput[],
  after: readonly LockedInput[],
): readonly string[] {
  const states = (inputs: readonly LockedInput[]): Map<string, string> =>
    new Map(inputs.map(({ input, source, rev }) => [input, `${source} ${rev ?? ""}`]));
  const [old, young] = [states(before), states(after)];
  const names = new Set([...old.keys(), ...young.keys()]);
  return [...names].filter((name) => old.get(name) !== young.get(name)).toSorted();
}
