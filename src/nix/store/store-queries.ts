import { lstat } from "node:fs/promises";
import { hasCode, HomelabError } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { oneLine } from "../words/error-text.ts";
import type { Environment } from "../nix-environment.ts";
import type { Store } from "../store.ts";
import { createPhaseLineFilter } from "./phase-lines.ts";

const queryTimeoutMs = 120_000;
const logTimeoutMs = 600_000;
/** The limit for the arguments of one process. Linux allows a quarter of the stack's limit for them: 2 MiB of 8. */
const maxArgumentBytes = 1024 * 1024;

export interface StoreOptions {
  readonly exec: Exec;
  readonly environment: Environment;
}

/** Questions to the Nix store. */
export function createStoreQueries({
  exec,
  environment,
}: StoreOptions): Pick<Store, "validPaths" | "present" | "readLog"> {
  return {
    async validPaths(paths, signal) {
      const valid = new Set(paths);
      for (const some of chunksOfArguments([...valid])) {
        const result = await exec("nix-store", ["--check-validity", "--print-invalid", "--", ...some], {
          env: environment,
          cwd: "/",
          signal,
          timeoutMs: queryTimeoutMs,
        });
        if (result.exitCode !== 0 || result.timedOut) throw unavailable("which paths are valid", result);
        for (const line of result.stdout.split("\n")) {
          // What was not asked for is not understood, and then nothing of it can be trusted.
          if (line !== "" && !valid.delete(line as StorePath)) {
            throw unavailable("which paths are valid", { ...result, stderrTail: line });
          }
        }
      }
      return valid;
    },

    async present(path) {
      return lstat(path).then(
        () => true,
        // What cannot be looked at may be there: that is for Nix to say.
        (error: unknown) => !hasCode(error, "ENOENT", "ENOTDIR"),
      );
    },

    async readLog(drvPath, onChunk, signal) {
      const filter = createPhaseLineFilter();
      const give = async (chunk: Uint8Array): Promise<void> => {
        if (chunk.byteLength > 0) await onChunk(chunk);
      };
      // Without substituters: Nix would ask each of them for a log that is not here.
      const args = ["--option", "substituters", "", "--read-log", "--", drvPath];
      const result = await exec("nix-store", args, {
        env: environment,
        cwd: "/",
        signal,
        timeoutMs: logTimeoutMs,
        onStdout: async (chunk) => give(filter.write(chunk)),
      });
      if (result.exitCode === 0 && !result.timedOut) await give(filter.end());
      else if (!/^error: build log of .* is not available$/m.test(plainText(result.stderrTail))) {
        throw unavailable("the log of a build", result);
      }
    },
  };
}

/** The arguments in as few groups as the kernel takes; none for none. */
export function chunksOfArguments<T extends string>(args: readonly T[]): readonly (readonly T[])[] {
  const chunks: T[][] = [];
  let bytes = maxArgumentBytes;
  for (const argument of args) {
    // Its end and its pointer count as well.
    const size = Buffer.byteLength(argument) + 1 + 8;
    if (bytes + size > maxArgumentBytes) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)?.push(argument);
    bytes += size;
  }
  return chunks;
}

function unavailable(what: string, { timedOut, stderrTail }: ExecResult): HomelabError {
  const said = plainText(stderrTail)
    .split("\n")
    .findLast((line) => line.trim() !== "");
  const reason = timedOut
    ? "it took too long"
    : oneLine(said ?? "it printed nothing").replace(/^error: /, "");
  return new HomelabError("unavailable", `the Nix store does not say ${what}: ${reason}`, {
    code: "STORE_UNAVAILABLE",
    hint: "see whether the Nix daemon runs and the disk has room: nix-store --check-validity /nix/store/<any path>",
  });
}
