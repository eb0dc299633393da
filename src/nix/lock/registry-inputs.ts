// Inputs that flake.nix names no place for: a flake registry decides what they are. Nix 2.8 and 2.26 ask those of the
// user and of the system too, which NixOS points to a path of its own store; 2.34 asks only the global one.
import { placeOf } from "./compare-url.ts";
import { type FlakeLock, type FlakeReference, nodeAt, rootInputs } from "./flake-lock.ts";

export interface RegistryInput {
  readonly input: string;
  /** What to write into flake.nix, so that the same is meant everywhere. BRANCH stands for what a person has to choose. */
  readonly advice: string;
}

const refPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const namePattern = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** The flake's own inputs that a registry resolves. */
export const registryInputs = (lock: FlakeLock): readonly RegistryInput[] =>
  Object.entries(rootInputs(lock)).flatMap(([input, edge]) => {
    if (typeof edge !== "string") return [];
    const { original, locked } = nodeAt(lock, edge);
    if (original?.type !== "indirect" || !namePattern.test(input)) return [];
    return [{ input, advice: `inputs.${input}.url = "${urlFor(original, locked)}";` }];
  });

/** A branch of the same repository. A lock does not keep which one it was, but where flake.nix names it. */
function urlFor(original: FlakeReference, locked: FlakeReference | undefined): string {
  const { ref = locked?.ref ?? "" } = original;
  const branch = refPattern.test(ref) ? ref : "BRANCH";
  const place = locked === undefined ? undefined : placeOf(locked);
  if (
    place !== undefined &&
    locked !== undefined &&
    ["github", "gitlab", "sourcehut"].includes(locked.type)
  ) {
    const owner = place.path.slice(0, -1).join("%2F");
    const host = locked.host === undefined ? "" : `?host=${place.host}`;
    return `${locked.type}:${owner}/${place.path.at(-1) ?? ""}/${branch}${host}`;
  }
  return original.id === "nixpkgs" ? `github:NixOS/nixpkgs/${branch}` : `github:OWNER/REPOSITORY/${branch}`;
}

/** What to do about it. */
export const registryAdvice = ({ advice }: Pick<RegistryInput, "advice">): string =>
  `write into flake.nix: ${advice}${advice.includes("BRANCH") ? " (BRANCH: the one that you mean)" : ""}`;

/** What is wrong with it. */
export const registryMessage = (input: string): string =>
  `flake.nix gives no URL for ${input}, so a flake registry decides what it is, and other machines may use something else`;
