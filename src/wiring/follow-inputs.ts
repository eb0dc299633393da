// What the flakes are pinned to, for the metrics: read whenever a build of a repo's branch is accepted.
import type { Log } from "../base/log.ts";
import { type FlakeLock, nodeAt, parseFlakeLock, rootInputs } from "../nix/lock/flake-lock.ts";
import { usableTime } from "../nix/lock/input-time.ts";
import type { BuildState } from "../protocol/build-state.ts";
import type { BranchName, Commit, RepoName } from "../protocol/names.ts";

export interface FollowInputsOptions {
  /** The configured branch of each repo: builds of others say nothing about it. */
  readonly branches: ReadonlyMap<RepoName, BranchName>;
  /** The text of flake.lock at a commit; undefined where there is none. */
  readonly readLock: (repo: RepoName, commit: Commit) => Promise<string | undefined>;
  readonly setInputs: (repo: RepoName, inputs: ReadonlyMap<string, number>) => void;
  readonly log: Log;
}

export interface InputFollower {
  /** A build that was accepted. One that is older than what is known changes nothing. */
  follow(state: BuildState): void;
  /** Resolves once everything is read. */
  settled(): Promise<void>;
}

export function followInputs({ branches, readLock, setInputs, log }: FollowInputsOptions): InputFollower {
  const newest = new Map<RepoName, { readonly acceptedAt: string; readonly commit: Commit }>();
  const reading = new Set<Promise<void>>();

  async function read(repo: RepoName, commit: Commit): Promise<void> {
    try {
      const text = await readLock(repo, commit);
      const inputs = text === undefined ? new Map<string, number>() : inputTimes(parseFlakeLock(text));
      // Reading takes its time, and another commit can have come meanwhile.
      if (newest.get(repo)?.commit === commit) setInputs(repo, inputs);
    } catch (error) {
      log.debug({ repo, commit, err: error }, "the inputs of a commit could not be read");
    }
  }

  return {
    follow({ sources, startedAt = "" }) {
      for (const { repo, branch, commit } of sources) {
        if (branch === undefined || branch !== branches.get(repo)) continue;
        const known = newest.get(repo);
        if (startedAt < (known?.acceptedAt ?? "")) continue;
        newest.set(repo, { acceptedAt: startedAt, commit });
        if (commit === known?.commit) continue;
        const task: Promise<void> = read(repo, commit).finally(() => reading.delete(task));
        reading.add(task);
      }
    },
    async settled() {
      await Promise.all(reading);
    },
  };
}

/** When the state of each of the flake's own inputs was made; without those that only follow another. */
export function inputTimes(lock: FlakeLock): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(rootInputs(lock)).flatMap(([name, edge]): [string, number][] => {
      const time = typeof edge === "string" ? usableTime(nodeAt(lock, edge).locked?.lastModified) : undefined;
      return time === undefined ? [] : [[name, time]];
    }),
  );
}
