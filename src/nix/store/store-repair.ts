import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { plainText } from "../../base/terminal-text.ts";
import type { ExecResult } from "../../process/exec.ts";
import type { StorePath } from "../../protocol/names.ts";
import { oneLine } from "../words/error-text.ts";
import { featureFlags } from "../nix-command.ts";
import type { StoreRepair } from "../store.ts";
import { chunksOfArguments, type StoreOptions } from "./store-queries.ts";

const timeoutMs = 3_600_000;

export interface StoreRepairOptions extends StoreOptions {
  /** A file with a secret key, which only Nix reads. */
  readonly keyFile?: string;
  /** The store behind the cache, as Nix writes it: `file:///srv/cache`, `ssh-ng://cache01`; this machine's without it. */
  readonly storeUrl?: string;
}

/** Repairs what a cache serves. Each gives why it could not, in a line, or nothing. */
export function createStoreRepair({ exec, environment, keyFile, storeUrl }: StoreRepairOptions): StoreRepair {
  async function run(
    file: string,
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const result = await exec(file, args, { env: environment, cwd: "/", signal, timeoutMs });
    return result.exitCode === 0 && !result.timedOut ? undefined : reasonOf(result);
  }

  async function forEachChunk(
    paths: readonly StorePath[],
    act: (some: readonly StorePath[]) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    for (const some of chunksOfArguments(paths)) {
      const reason = await act(some);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  return {
    async sign(paths, signal) {
      if (keyFile === undefined) return "there is no key to sign with";
      const flags = [...featureFlags, "store", "sign", "--key-file", keyFile, "--"];
      return forEachChunk(paths, async (some) => run("nix", [...flags, ...some], signal));
    },
    async restore(path, signal) {
      if ((await run("nix-store", ["--verify-path", "--", path], signal)) === undefined)
        return "its content here is sound: the fault is in the cache, or in between";
      return run("nix-store", ["--repair-path", "--", path], signal);
    },
    async replace(paths, signal) {
      if (storeUrl === undefined) return "there is no store to copy it to";
      // Nix copies nothing that has a narinfo, whatever happened to it.
      const directory = /^file:\/\/(?<directory>\/[^?]*)/.exec(storeUrl)?.groups?.["directory"];
      if (directory !== undefined) await removeNarInfos(directory, paths);
      // The parameter of its URL, since Nix 2.8 has no flag for it.
      const target =
        keyFile === undefined || directory === undefined
          ? storeUrl
          : withParameter(storeUrl, "secret-key", keyFile);
      const flags = [...featureFlags, "copy", "--to", target, "--"];
      return forEachChunk(paths, async (some) => run("nix", [...flags, ...some], signal));
    },
  };
}

async function removeNarInfos(directory: string, paths: readonly StorePath[]): Promise<void> {
  for (const path of paths)
    await rm(join(directory, `${basename(path).slice(0, 32)}.narinfo`), { force: true });
}

const withParameter = (url: string, name: string, value: string): string =>
  `${url}${url.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`;

function reasonOf({ timedOut, stderrTail }: ExecResult): string {
  if (timedOut) return "Nix took too long";
  const said = plainText(stderrTail)
    .split("\n")
    .findLast((line) => line.trim() !== "");
  return oneLine(said ?? "Nix does not report why").replace(/^error: /, "");
}
