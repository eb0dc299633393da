// Which system a process was started from: its executable and the files on its command line, as far as they lie in the
// store, against the closure of that system.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { StorePath } from "../protocol/names.ts";
import type { HostPrograms } from "./host-programs.ts";
import { orUndefined, realPathIfThere } from "./read-if-there.ts";

const maxArguments = 50;

/** False also where the process is gone, or nothing of it lies in the store. */
export async function isProgramOf(
  programs: HostPrograms,
  pid: number,
  path: StorePath,
  signal: AbortSignal,
): Promise<boolean> {
  const process = join("/proc", String(pid));
  const executable = await realPathIfThere(join(process, "exe"));
  const command = await orUndefined(readFile(join(process, "cmdline"), "utf8"));
  if (executable === undefined || command === undefined) return false;
  const store = path.slice(0, path.lastIndexOf("/") + 1);
  const words = command.split("\0").slice(0, maxArguments);
  const files = await Promise.all(
    words.filter((word) => word.startsWith("/")).map(async (word) => realPathIfThere(word)),
  );
  if (!executable.startsWith(store)) return false;
  const parts = [executable, ...files.filter((file) => file !== undefined)]
    .filter((file) => file.startsWith(store))
    .map((file) => `${store}${file.slice(store.length).split("/")[0] ?? ""}`);
  const { stdout } = await programs.run("nix-store", ["--query", "--requisites", path], signal);
  const closure = new Set(stdout.split("\n"));
  return parts.every((part) => closure.has(part));
}
