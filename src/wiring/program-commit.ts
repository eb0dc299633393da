// The commit that this program was built from.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "../base/errors.ts";
import { readBounded } from "../base/files/read-bounded.ts";
import type { Exec } from "../process/exec.ts";

/** What a build leaves beside the program, for places without a repository. */
export const commitFile = "commit";

/** The top of a checkout, or of a package. */
const root = join(import.meta.dirname, "../..");

/**
 * The commit: of the build that this is, of the checkout otherwise. With `-dirty` at its end, something differs from it.
 *
 * @returns undefined if it is unknown
 */
export async function programCommit(
  exec: Exec,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const ofBuild = await readBounded(join(import.meta.dirname, "..", commitFile), 200).catch(
    (error: unknown) => {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    },
  );
  return ofBuild === undefined ? commitOfCheckout(exec, env, signal) : commitIn(ofBuild.text);
}

/** The same if there is no build to read it from. */
export async function commitOfCheckout(
  exec: Exec,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  // Otherwise git answers for a repository around us, in which this is only installed.
  if (!existsSync(join(root, ".git"))) return undefined;
  const described = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"];
  const { exitCode, stdout } = await exec("git", ["-C", root, ...described], {
    signal,
    env,
    timeoutMs: 10_000,
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    if (hasCode(error, "PROGRAM_MISSING")) return { exitCode: 1, stdout: "" };
    throw error;
  });
  return exitCode === 0 ? commitIn(stdout) : undefined;
}

const commitIn = (text: string): string | undefined => /^[0-9a-f]{40}(?:-dirty)?$/m.exec(text.trim())?.[0];

/** `1.0.0 (877c9803abcd, with changes)` */
export function describeVersion(version: string, commit: string | undefined): string {
  if (commit === undefined) return version;
  return `${version} (${commit.slice(0, 12)}${commit.endsWith("-dirty") ? ", with changes" : ""})`;
}
