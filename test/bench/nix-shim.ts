// Counts the Nix processes of others: programs with Nix's names that write down that they ran and run the real ones.
import { access, chmod, constants, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const names = ["nix", "nix-store", "nix-instantiate"] as const;

export interface NixRun {
  /** `nix eval`, `nix-store --realise` */
  readonly command: string;
  /** Seconds, of the process and its descendants. */
  readonly cpuSeconds: number;
}

export interface NixShim {
  /** To be first in PATH. */
  readonly directory: string;
  /** What ran since the last call, in no order. */
  takeRuns(): Promise<readonly NixRun[]>;
}

/** Makes the programs below an existing directory. */
export async function createNixShim(parent: string): Promise<NixShim> {
  const directory = join(parent, "shim");
  const records = join(parent, "shim-records");
  await mkdir(directory);
  await mkdir(records);
  for (const name of names) {
    const file = join(directory, name);
    await writeFile(file, shimOf(name, await find(name), records));
    await chmod(file, 0o755);
  }
  const taken = new Set<string>();
  return {
    directory,
    async takeRuns() {
      const fresh = (await readdir(records)).filter((file) => !taken.has(file));
      for (const file of fresh) taken.add(file);
      return Promise.all(fresh.map(async (file) => parseRecord(await readFile(join(records, file), "utf8"))));
    },
  };
}

/** A record is there from the start of a process on, so one that is killed is counted as well. */
const shimOf = (name: string, program: string, records: string): string => `#!/usr/bin/env bash
record='${records}'/$$-$EPOCHREALTIME
printf '%s %s\\n' ${name} "$1" > "$record"
'${program}' "$@"
code=$?
times >> "$record"
exit $code
`;

async function find(program: string): Promise<string> {
  for (const directory of (process.env["PATH"] ?? "").split(":")) {
    const path = join(directory, program);
    const isProgram = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isProgram) return path;
  }
  throw new Error(`${program} is not installed`);
}

/** The command; then what the shell's `times` prints: user and system time, of itself and of its children. */
function parseRecord(record: string): NixRun {
  const [command = "", ...lines] = record.trim().split("\n");
  const times = (lines[1] ?? "").matchAll(/(?<minutes>\d+)m(?<seconds>[\d.]+)s/g);
  const cpuSeconds = times.reduce(
    (sum, { groups }) => sum + Number(groups?.["minutes"]) * 60 + Number(groups?.["seconds"]),
    0,
  );
  return { command, cpuSeconds };
}
