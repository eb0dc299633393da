// The message of our commits: bounded, with trailers by which they are known again, and without anything of the run:
// the same update in another run is the same commit, of which builders remember all evaluations.
import type { Commit } from "../protocol/names.ts";

const trailers = {
  base: "Homelab-Update-Base",
  inputs: "Homelab-Update-Inputs",
} as const;
const subjectLength = 72;
const mostDetails = 100;

/** Nothing of a run is in it: runs that come to the same have the same commit. */
export interface CommitMessage {
  readonly base: Commit;
  readonly inputs: readonly string[];
  /** One line for each input: `nixpkgs: 1a2b3c4 → 5d6e7f8 (2026-11-20)`. */
  readonly details: readonly string[];
}

export function updateMessage({ base, inputs, details }: CommitMessage): string {
  const more = details.length - mostDetails;
  return [
    subjectOf(inputs),
    "",
    ...details.slice(0, mostDetails).map(oneLine),
    ...(more > 0 ? [`and ${more} more`] : []),
    "",
    `${trailers.base}: ${base}`,
    `${trailers.inputs}: ${inputs.map(safeName).join(", ")}`,
  ].join("\n");
}

/** Whether an update made this commit, as its trailers and its author say. */
export function isOurCommit(
  { message, authorEmail }: { readonly message: string; readonly authorEmail: string },
  ourEmail: string,
): boolean {
  return authorEmail === ourEmail && new RegExp(`^${trailers.base}: \\S+$`, "m").test(message);
}

/** As many names as fit: `flake.lock: update nixpkgs, home-manager (+3)`. */
function subjectOf(inputs: readonly string[]): string {
  const start = "flake.lock: update ";
  const names = inputs.map(safeName);
  for (let shown = names.length; shown > 0; shown--) {
    const rest = names.length - shown;
    const subject = `${start}${names.slice(0, shown).join(", ")}${rest === 0 ? "" : ` (+${rest})`}`;
    if (subject.length <= subjectLength) return subject;
  }
  return `${start}${names.length} ${names.length === 1 ? "input" : "inputs"}`;
}

/** Input names come from a flake: nothing in them may look like a command to a forge (`[skip ci]`, `#1`, `@all`). */
const safeName = (name: string): string => name.replaceAll(/[^A-Za-z0-9_.-]/g, "_").slice(0, 60);
const oneLine = (text: string): string =>
  text
    .replaceAll(/[\r\n]+/g, " ")
    .replaceAll(/[#@[\]]/g, "_")
    .slice(0, 200);
