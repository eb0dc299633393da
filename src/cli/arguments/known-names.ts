// Host names and build ids for completion, as the last commands saw them: completing must not wait for a network.
import { writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { BuildId, HostName, RepoName } from "../../protocol/names.ts";
import type { KnownNames } from "./complete-words.ts";
import type { Environment } from "../../base/environment.ts";
import { makeDirectory } from "../../base/files/make-directory.ts";
import { createJsonFile, type JsonFile } from "../../base/files/json-file.ts";

const Stored = v.object({ hosts: v.array(HostName), repos: v.array(RepoName), builds: v.array(BuildId) });

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
  (await fileOf(environment).read()) ?? { hosts: [], repos: [], builds: [] };

/** Only a convenience: that it cannot be written is no reason to fail. */
export async function rememberNames(environment: Environment, names: Partial<KnownNames>): Promise<void> {
  try {
    const { hosts, repos, builds } = { ...(await readKnownNames(environment)), ...names };
    await fileOf(environment).write({ hosts: [...hosts], repos: [...repos], builds: [...builds] });
  } catch {
    // see above
  }
}
