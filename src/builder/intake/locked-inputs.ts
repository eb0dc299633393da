// What a commit's flake.lock says, for people who look for what changed. No build needs it to begin.
import { HomelabError } from "../../base/errors.ts";
import type { Commit, RepoName } from "../../protocol/names.ts";
import { fitsLockedInputs, type LockedInput } from "../../protocol/locked-inputs.ts";
import type { Repo } from "../repo.ts";

type Inputs = LockedInput[] | undefined;

const keptCommits = 256;

/** Undefined where there is no lock, or none that can be read or told in an event. The commit is in the mirror. */
export type ReadInputs = (repo: Repo, commit: Commit, signal: AbortSignal) => Promise<Inputs>;

/** Reads the text of a flake.lock. @throws HomelabError if it cannot be read */
export type ParseInputs = (text: string) => readonly LockedInput[];

/** Many requests for one commit read it once. */
export function createInputsReader(lockedInputs: ParseInputs): ReadInputs {
  const known = new Map<`${RepoName}@${Commit}`, Inputs>();

  async function read({ mirror, directory }: Repo, commit: Commit, signal: AbortSignal): Promise<Inputs> {
    const path = directory === undefined ? "flake.lock" : `${directory}/flake.lock`;
    const text = await mirror.readFile(commit, path, signal);
    const inputs = text === undefined ? undefined : lockedInputs(text);
    return inputs !== undefined && fitsLockedInputs(inputs) ? [...inputs] : undefined;
  }

  function remember(key: `${RepoName}@${Commit}`, inputs: Inputs): Inputs {
    known.set(key, inputs);
    const [oldest] = known.keys();
    if (known.size > keptCommits && oldest !== undefined) known.delete(oldest);
    return inputs;
  }

  return async (repo, commit, signal) => {
    const key = `${repo.name}@${commit}` as const;
    if (known.has(key)) return known.get(key);
    try {
      return remember(key, await read(repo, commit, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HomelabError)) throw error;
      // A lock that is broken fails the build by itself, in Nix's own words. A commit does not change.
      return error.kind === "failed" ? remember(key, undefined) : undefined;
    }
  };
}
