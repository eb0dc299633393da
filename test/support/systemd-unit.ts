// Unit files out of what NixOS modules say.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Value = string | number | boolean;
export type UnitSection = Readonly<Record<string, Value | readonly Value[]>>;

/** One section, as NixOS writes it: a list is a line for each element. */
export function renderSection(name: string, section: UnitSection): string {
  const lines = Object.entries(section).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map((each: Value) => `${key}=${String(each)}`),
  );
  return [`[${name}]`, ...lines, ""].join("\n");
}

/** What systemd-analyze thinks of a unit file in its directory: exit code, and all that it said. */
export function analyze(
  directory: string,
  file: string,
  text: string,
  ...args: readonly string[]
): { readonly status: number | null; readonly output: string } {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, file), text);
  const run = spawnSync("systemd-analyze", [...args, join(directory, file)], { encoding: "utf8" });
  return { status: run.status, output: `${run.stdout}${run.stderr}` };
}

export const whyWithoutSystemd = (): string | undefined =>
  spawnSync("systemd-analyze", ["--version"]).error === undefined
    ? undefined
    : "there is no systemd-analyze, which comes with systemd";
