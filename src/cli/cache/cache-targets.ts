// What `cache` commands are about: names of hosts, or paths, become systems in the store.
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import type { BuildReader } from "../../bus/bus.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import {
  isStorePath,
  parseRepoName,
  type StorePath,
  type FullHostName,
  type RepoName,
} from "../../protocol/names.ts";
import { readBuilds } from "../../fleet/find-build.ts";
import { newestSystems } from "./newest-systems.ts";

export interface CacheTarget {
  /** `repo/host`, or the path as it was given. */
  readonly name: string;
  readonly path: StorePath;
}

export interface CacheTargets {
  readonly targets: readonly CacheTarget[];
  /** Hosts that were never built successfully: a cache cannot serve anything for them. */
  readonly unbuilt: readonly FullHostName[];
}

/** How many builds are read, newest first. */
const lookedAt = 200;

const isPathArgument = (text: string): boolean => text.startsWith("/") || text.startsWith(".");

/**
 * The path of the store that a file is in, also through links.
 *
 * @param storeDirectory absent where any store is meant
 * @throws HomelabError `usage` with code `NO_STORE_PATH`
 */
async function pathTarget(text: string, storeDirectory: string | undefined): Promise<CacheTarget> {
  const parts = (await realpath(text).catch(() => text)).split("/");
  const path = parts.map((_, index) => parts.slice(0, index + 1).join("/")).find(isStorePath);
  if (path !== undefined && (storeDirectory ?? dirname(path)) === dirname(path)) return { name: text, path };
  throw new HomelabError("usage", `${JSON.stringify(text.slice(0, 200))} is not in the store`, {
    code: "NO_STORE_PATH",
    hint: `give a path in ${storeDirectory ?? "/nix/store"}, a link to one, or the name of a host`,
  });
}

export interface TargetsSpecification {
  /** `host`, `repo/host` or a path in the store; "all" for every host that there is. */
  readonly names: readonly string[] | "all";
  /** Only hosts of this repo. */
  readonly repo: string | undefined;
  readonly storeDirectory: string | undefined;
}

/**
 * @param connect is asked only when hosts are meant
 * @throws HomelabError `usage` with code `NO_STORE_PATH`, `UNKNOWN_HOST` or `AMBIGUOUS_HOST`
 */
export async function findTargets(
  connect: () => Promise<AsyncDisposable & { readonly reader: BuildReader }>,
  { names, repo, storeDirectory }: TargetsSpecification,
  signal: AbortSignal,
): Promise<CacheTargets> {
  const paths = await Promise.all(
    (names === "all" ? [] : names.filter(isPathArgument)).map(async (name) =>
      pathTarget(name, storeDirectory),
    ),
  );
  const hosts = names === "all" ? names : names.filter((name) => !isPathArgument(name));
  if (hosts.length === 0) return { targets: paths, unbuilt: [] };
  await using connected = await connect();
  const ofRepo = repo === undefined ? undefined : parseRepoName(repo);
  const { targets, unbuilt } = await hostTargets(connected.reader, hosts, ofRepo, signal);
  return { targets: [...paths, ...targets], unbuilt };
}

/**
 * The newest built system of each host.
 *
 * @param names `host` or `repo/host`; "all" for every host that there is
 * @param repo only of this one
 * @throws HomelabError `usage` with code `UNKNOWN_HOST` or `AMBIGUOUS_HOST`
 */
export async function hostTargets(
  reader: BuildReader,
  names: readonly string[] | "all",
  repo: RepoName | undefined,
  signal: AbortSignal,
): Promise<CacheTargets> {
  const ids = await reader.acceptedBuilds(lookedAt, signal);
  const { systems, hosts: every } = newestSystems(await readBuilds(reader, ids, signal));
  const hosts = every.filter((name) => repo === undefined || name.startsWith(`${repo}/`));
  const wanted = names === "all" ? hosts : names.map((name) => findHost(name, hosts));
  if (wanted.length === 0) {
    throw new HomelabError("usage", `no host${repo === undefined ? "" : ` of ${repo}`} was built yet`, {
      code: "UNKNOWN_HOST",
      hint: "build them first: homelab-deploy build --all",
    });
  }
  const found = wanted.map((name) => ({ name, path: systems.get(name) }));
  return {
    targets: found.flatMap(({ name, path }) => (path === undefined ? [] : [{ name, path }])),
    unbuilt: found.filter(({ path }) => path === undefined).map(({ name }) => name),
  };
}

function findHost(name: string, hosts: readonly FullHostName[]): FullHostName {
  const found = hosts.filter((host) => host === name || host.endsWith(`/${name}`));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const near = didYouMean(name, name.includes("/") ? hosts : hosts.map((host) => host.split("/")[1] ?? ""));
  throw new HomelabError(
    "usage",
    first === undefined
      ? `no host ${JSON.stringify(name.slice(0, 200))} was built`
      : `${found.join(" and ")} are both ${name}`,
    {
      code: first === undefined ? "UNKNOWN_HOST" : "AMBIGUOUS_HOST",
      hint:
        first !== undefined
          ? "name the repo as well"
          : near === undefined
            ? "list them: homelab-deploy hosts"
            : `did you mean ${near}?`,
    },
  );
}
