import { lstat, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { hasCode, HomelabError, messageOf } from "../../base/errors.ts";
import { StorePath } from "../../protocol/names.ts";
import { oneLine } from "../words/error-text.ts";
import { bootParts } from "./closure-diff.ts";
import type { BootParts, Store } from "../store.ts";
import { chunksOfArguments, type StoreOptions } from "./store-queries.ts";

const queryTimeoutMs = 120_000;
const maxTextBytes = 64 * 1024;

/**
 * Reads closures, with `nix-store` because its output is the same in every version, where the JSON of
 * `nix path-info` is not.
 */
export function createClosureReader({ exec, environment }: StoreOptions): Pick<Store, "readClosure"> {
  async function query(args: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    const options = { env: environment, cwd: "/", signal, timeoutMs: queryTimeoutMs };
    const { exitCode, timedOut, stdout, stderrTail } = await exec("nix-store", ["--query", ...args], options);
    if (exitCode !== 0 || timedOut) throw unavailable(timedOut ? "it took too long" : stderrTail);
    return stdout.split("\n").filter((line) => line !== "");
  }

  return {
    async readClosure(toplevel, signal) {
      const required = await query(["--requisites", "--", toplevel], signal);
      const paths = required.filter((line): line is StorePath => v.is(StorePath, line));
      if (paths.length < required.length) throw unavailable("it named something else");
      if (!paths.includes(toplevel)) throw unavailable("it left out the system itself");
      const sizes: number[] = [];
      for (const some of chunksOfArguments(paths)) {
        // One line for each path, in their order.
        sizes.push(...(await query(["--size", "--", ...some], signal)).map(Number));
      }
      if (sizes.length !== paths.length || !sizes.every(Number.isSafeInteger)) {
        throw unavailable("it gave sizes of other paths");
      }
      return {
        paths: paths.map((path, index) => ({ path, size: sizes[index] ?? 0 })),
        boot: await readBootParts(toplevel),
      };
    },
  };
}

/** Where the entries point to, or what is in them where they are files. */
async function readBootParts(toplevel: StorePath): Promise<BootParts> {
  const parts: Partial<Record<(typeof bootParts)[number], string>> = {};
  for (const name of bootParts) {
    const content = await readEntry(join(toplevel, name));
    if (content !== undefined) parts[name] = content;
  }
  return parts;
}

async function readEntry(path: string): Promise<string | undefined> {
  try {
    const status = await lstat(path);
    if (status.isSymbolicLink()) return await readlink(path);
    return status.isFile() && status.size <= maxTextBytes ? await readFile(path, "utf8") : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw unavailable(messageOf(error));
  }
}

const unavailable = (reason: string): HomelabError =>
  new HomelabError(
    "unavailable",
    `the Nix store does not list what a system consists of: ${oneLine(reason)}`,
    {
      code: "STORE_UNAVAILABLE",
      hint: "see whether the system was garbage-collected, and whether the Nix daemon runs",
    },
  );
