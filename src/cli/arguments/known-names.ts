// Host names and build ids for completion, as the last commands saw them: completing must not wait for a network.
import { homedir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { BuildId, HostName, RepoName } from "../../protocol/names.ts";
import type { KnownNames } from "./complete-words.ts";
import type { Environment } from "../../base/environment.ts";
import { createJsonFile, type JsonFile } from "../../base/files/json-file.ts";

const Stored = v.object({ hosts: v.array(HostName), repos: v.array(RepoName), builds: v.array(BuildId) });

function fileOf(environment: Environment): JsonFile<typeof Stored> {
  const cache = environment["XDG_CACHE_HOME"] ?? join(environment["HOME"] ?? homedir(), ".cache");
  return createJsonFile(join(cache, "homelab-deploy/completion.json"), Stored);
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
