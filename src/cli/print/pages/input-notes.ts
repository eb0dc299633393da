// What a lock says that needs a person, beside the age of its inputs.
import { type FlakeLock, lostInputs } from "../../../nix/lock/flake-lock.ts";
import {
  registryAdvice,
  registryInputs,
  registryMessage,
  type RegistryInput,
} from "../../../nix/lock/registry-inputs.ts";
import type { RepoName } from "../../../protocol/names.ts";
import type { Style } from "../style.ts";

export interface InputNote {
  readonly repo: RepoName;
  readonly input: string;
  /** `registry`: a registry resolves it; `follows-nothing`: it follows an input that does not exist. */
  readonly kind: "registry" | "follows-nothing";
  /** Has text from outside. */
  readonly message: string;
  readonly advice: string;
}

export const notesOf = (repo: RepoName, lock: FlakeLock): readonly InputNote[] => [
  ...registryInputs(lock).map((each) => {
    const { input } = each;
    const kind = "registry" as const;
    return { repo, input, kind, message: registryMessage(input), advice: registryAdvice(each) };
  }),
  ...lostInputs(lock).map(({ of, input, follows }) => {
    const name = of === lock.root ? input : `${of}/${input}`;
    const message = `${name} follows ${follows.join("/")}, which flake.lock does not have`;
    return {
      repo,
      input: name,
      kind: "follows-nothing" as const,
      message,
      advice: "run nix flake lock to fix it",
    };
  }),
];

/** A line for each, safe to print, or nothing. */
export const renderNotes = (notes: readonly Pick<InputNote, "message" | "advice">[], style: Style): string =>
  notes
    .map(({ message, advice }) => `${style.yellow("note:")} ${style.clean(`${message}; ${advice}`)}\n`)
    .join("");

/** Notes on the lock that an update made. */
export const registryNotes = (inputs: readonly RegistryInput[], style: Style): string =>
  renderNotes(
    inputs.map((each) => ({ message: registryMessage(each.input), advice: registryAdvice(each) })),
    style,
  );
