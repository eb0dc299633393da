// Flakes in git repositories that take in each other, with two states each. Offline: all URLs are `git+file://`.
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gitEnvironment } from "./git-remote.ts";
import type { ThrowAwayStore } from "./nix-store.ts";

const run = promisify(execFile);

export interface FlakeShape {
  /** Which of the flakes after it (by offset from the next one) it takes in. */
  readonly inputs: readonly number[];
  /** It has a lock of its own, so that what it takes in only moves when its own lock does. */
  readonly hasLock: boolean;
}

export interface GraphShape {
  /** The first is the flake itself. */
  readonly flakes: readonly FlakeShape[];
  /** Picks which inputs of the flake's inputs follow another input of the flake, and which one. */
  readonly follows: readonly number[];
}

export interface FlakeGraph {
  /** The checkout of the flake itself. */
  readonly directory: string;
  /** Makes a new commit in every other flake. */
  readonly advance: () => Promise<void>;
}

/** Makes the repositories below an empty directory. `v` of each flake says what it was evaluated with. */
export async function createFlakeGraph(
  store: ThrowAwayStore,
  directory: string,
  { flakes, follows }: GraphShape,
): Promise<FlakeGraph> {
  const at = (index: number): string => join(directory, `f${index}`);
  const inputsOf = (index: number): readonly number[] => {
    const targets = (flakes[index]?.inputs ?? []).map((offset) => index + 1 + offset);
    return [...new Set(targets.filter((target) => target < flakes.length))];
  };
  let state = 0;

  async function commit(index: number): Promise<void> {
    await writeFile(join(at(index), "flake.nix"), flakeText(index));
    await git(at(index), "add", "--all");
    if (flakes[index]?.hasLock === true && inputsOf(index).length > 0) {
      // The same on all versions: `flake update` takes names of inputs since 2.19.
      await rm(join(at(index), "flake.lock"), { force: true });
      await store.run("nix", "flake", "lock", at(index));
      await git(at(index), "add", "--all");
    }
    await git(at(index), "commit", "--quiet", "--allow-empty", "--message", `State ${state}`);
  }

  function flakeText(index: number): string {
    const inputs = inputsOf(index).flatMap((target) => [
      `    f${target}.url = "git+file://${at(target)}?ref=main";`,
      ...(index === 0 ? followsOf(target) : []),
    ]);
    const values = inputsOf(index).map((target) => `f${target}.v`);
    return `{
  inputs = {
${inputs.join("\n")}
  };
  outputs = { self, ... }@inputs: with inputs; {
    v = "f${index}.${index === 0 ? 0 : state}(" + builtins.concatStringsSep " " [ ${values.join(" ")} ] + ")";
  };
}
`;
  }

  /** Never a circle: an input follows only one that comes later. */
  const followsOf = (target: number): readonly string[] =>
    inputsOf(target).flatMap((inner, position) => {
      const candidates = inputsOf(0).filter((other) => other > target);
      const pick = follows[(target + position) % Math.max(1, follows.length)] ?? 0;
      const chosen = candidates[pick % (candidates.length + 1)];
      return chosen === undefined ? [] : [`    f${target}.inputs.f${inner}.follows = "f${chosen}";`];
    });

  async function advance(): Promise<void> {
    state++;
    for (let index = flakes.length - 1; index > 0; index--) await commit(index);
  }

  for (const index of flakes.keys()) {
    await mkdir(at(index), { recursive: true });
    await git(at(index), "init", "--quiet", "--initial-branch=main");
  }
  await advance();
  await commit(0);
  return { directory: at(0), advance };
}

async function git(directory: string, ...args: readonly string[]): Promise<void> {
  await run("git", args, { cwd: directory, env: gitEnvironment });
}
