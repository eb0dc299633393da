// Host names and build ids for completion, as the last commands saw them: completing must not wait for a network.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { BuildId, HostName, RepoName } from "../../protocol/names.ts";
import type { KnownNames } from "./complete-words.ts";
import type { Environment } from "../../base/environment.ts";

const Stored = v.object({ hosts: v.array(HostName), repos: v.array(RepoName), builds: v.array(BuildId) });

const fileOf = (environment: Environment): string =>
  join(
    environment["XDG_CACHE_HOME"] ?? join(environment["HOME"] ?? homedir(), ".cache"),
    "homelab-deploy/completion.json",
  );

export async function readKnownNames(environment: Environment): Promise<KnownNames> {
  try {
    return v.parse(Stored, JSON.parse(await readFile(fileOf(environment), "utf8")));
  } catch {
    return { hosts: [], repos: [], builds: [] };
  }
}

/** Only a convenience: that it cannot be written is no reason to fail. */
export async function rememberNames(environment: Environment, names: Partial<KnownNames>): Promise<void> {
  try {
    const file = fileOf(environment);
    const before = await readKnownNames(environment);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.${process.pid}`, JSON.stringify({ ...before, ...names }), { mode: 0o600 });
    await rename(`${file}.${process.pid}`, file);
  } catch {
    // see above
  }
}
