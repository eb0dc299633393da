// Names of hosts and ids of builds and rollouts for completion, as the last commands saw them: completing must not wait for a network.
import { writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { BuildId, HostName, RepoName } from "../../protocol/names.ts";
import { RolloutId } from "../../protocol/rollout/rollout-events.ts";
import type { KnownNames } from "./complete-words.ts";
import type { Environment } from "../../base/environment.ts";
import { makeDirectory } from "../../base/files/make-directory.ts";
import { createJsonFile, type JsonFile } from "../../base/files/json-file.ts";

const Stored = v.object({
  hosts: v.array(HostName),
  repos: v.array(RepoName),
  builds: v.array(BuildId),
  /** Missing in files of earlier releases. */
  rollouts: v.optional(v.array(RolloutId), []),
});

const directoryOf = (environment: Environment): string =>
  join(environment["XDG_CACHE_HOME"] ?? join(environment["HOME"] ?? homedir(), ".cache"), "homelab-deploy");

const fileOf = (environment: Environment): JsonFile<typeof Stored> =>
  createJsonFile(join(directoryOf(environment), "completion.json"), Stored);

/** An empty file whose time says when names were last asked for. */
export const markerOf = (environment: Environment): string =>
  join(directoryOf(environment), "completion.asked");

/** @throws Error where it cannot be written */
export async function touchMarker(environment: Environment): Promise<void> {
  await makeDirectory(directoryOf(environment));
  await writeFile(markerOf(environment), "");
}

export const readKnownNames = async (environment: Environment): Promise<KnownNames> =>
  (await fileOf(environment).read()) ?? { hosts: [], repos: [], builds: [], rollouts: [] };

/** Only a convenience, so failing to write it is not a reason to fail. */
export async function rememberNames(environment: Environment, names: Partial<KnownNames>): Promise<void> {
  try {
    const { hosts, repos, builds, rollouts } = { ...(await readKnownNames(environment)), ...names };
    await fileOf(environment).write({
      hosts: [...hosts],
      repos: [...repos],
      builds: [...builds],
      rollouts: [...rollouts],
    });
  } catch {
    // see above
  }
}
