import { execFile } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/**
 * Builds the sources as they are, into a directory of its own so that nobody's `dist` changes.
 *
 * @returns the path of main.js
 */
export async function compileProgram(directory: string): Promise<string> {
  const output = join(directory, "dist");
  const bundler = join(root, "node_modules/rolldown/bin/cli.mjs");
  await run(process.execPath, [bundler, "-c", "--logLevel", "silent", "--dir", output], { cwd: root });
  // The program finds its version beside `dist`, as in an installed package.
  await copyFile(join(root, "package.json"), join(directory, "package.json"));
  return join(output, "cli/main.js");
}
