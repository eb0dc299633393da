// The generations of the system's profile, which are all that a boot loader's builder knows.
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { isStorePath, type StorePath } from "../protocol/names.ts";
import type { HostPrograms } from "./host-programs.ts";
import { namesIfThere, orUndefined, realPathIfThere } from "./read-if-there.ts";
import type { GenerationInfo, System } from "./system.ts";

/** `system-42-link` → 42 */
export function parseGeneration(name: string): number | undefined {
  const number = /^system-(?<number>[1-9]\d{0,9})-link$/.exec(name)?.groups?.["number"];
  return number === undefined ? undefined : Number(number);
}

export const storePathOf = async (link: string): Promise<StorePath | undefined> => {
  const target = await realPathIfThere(link);
  return isStorePath(target) ? target : undefined;
};

/** Undefined where there is no profile, or it points to no generation of its own. */
export async function readPermanent(profiles: string): Promise<GenerationInfo | undefined> {
  const name = await orUndefined(readlink(join(profiles, "system")));
  const generation = name === undefined ? undefined : parseGeneration(name.replace(/^.*\//, ""));
  const path = await storePathOf(join(profiles, "system"));
  return generation === undefined || path === undefined ? undefined : { path, generation };
}

type ProfileCalls = Pick<System, "setProfile" | "switchGeneration" | "listGenerations" | "deleteGenerations">;

export function createProfile(programs: HostPrograms, profiles: string): ProfileCalls {
  const nixEnv = async (args: readonly string[], signal: AbortSignal): Promise<void> => {
    await programs.run("nix-env", ["--profile", join(profiles, "system"), ...args], signal, {
      timeoutMs: 120_000,
    });
  };

  return {
    // Nothing is fetched or built for it: the system was activated already.
    setProfile: async (path, signal) =>
      nixEnv(["--option", "substitute", "false", "--option", "max-jobs", "0", "--set", path], signal),
    switchGeneration: async (generation, signal) => nixEnv(["--switch-generation", `${generation}`], signal),
    async listGenerations(signal) {
      signal.throwIfAborted();
      const numbers = (await namesIfThere(profiles))
        .map(parseGeneration)
        .filter((each) => each !== undefined);
      const found = await Promise.all(
        numbers.map(async (generation) => ({
          generation,
          path: await storePathOf(join(profiles, `system-${generation}-link`)),
        })),
      );
      return found
        .filter((each): each is GenerationInfo => each.path !== undefined)
        .toSorted((a, b) => a.generation - b.generation);
    },
    async deleteGenerations(generations, signal) {
      if (generations.length === 0) return;
      await nixEnv(["--delete-generations", ...generations.map(String)], signal);
    },
  };
}
