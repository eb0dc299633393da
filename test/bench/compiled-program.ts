import { execFile } from "node:child_process";
import { copyFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/**
 * Compiles the sources as they are, into a directory of its own so that nobody's `dist` changes.
 *
 * @returns the path of main.js
 */
export async function compileProgram(directory: string): Promise<string> {
  const output = join(directory, "dist");
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const project = ["-p", join(root, "tsconfig.build.json"), "--noCheck", "--outDir", output];
  await run(process.execPath, [compiler, ...project]);
  // The program finds its libraries and its version beside `dist`, as in an installed package.
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
  await copyFile(join(root, "package.json"), join(directory, "package.json"));
  return join(output, "cli/main.js");
}
