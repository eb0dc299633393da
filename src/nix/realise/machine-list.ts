// The remote builders of one Nix process. Nix starts its build hook again for each derivation, and the hook forgets which
// machine did not answer: Nix waits for that connection to fail again, and does nothing else meanwhile. But the hook reads
// the file that `builders` names each time.
import { join } from "node:path";
import { replaceFile } from "../../base/files/replace-file.ts";
import { machineName } from "../../protocol/machine-name.ts";
import { replaceableMachines, type Machine } from "../settings/machines.ts";

export interface MachineList {
  /** For Nix's setting `builders`. */
  readonly setting: string;
  /** Leaves out those that others can replace, from the next derivation on. Resolves when the file is written; never rejects. */
  leaveOut(names: readonly string[]): Promise<void>;
}

/** @param directory of this process, where the file is as long as it runs */
export async function createMachineList(
  machines: readonly Machine[],
  withoutMachines: readonly string[],
  directory: string,
): Promise<MachineList> {
  const file = join(directory, "machines");
  let known = new Set(withoutMachines);
  let written = replaceFile(file, textOf(linesWithout(machines, withoutMachines)));
  await written;

  return {
    setting: `@${file}`,
    async leaveOut(names) {
      const all = new Set([...known, ...names]);
      if (all.size > known.size) {
        known = all;
        const content = textOf(linesWithout(machines, replaceableMachines({ machines }, [...all])));
        // At worst Nix tries the machine again.
        written = written.then(async () => replaceFile(file, content)).catch(() => undefined);
      }
      return written;
    },
  };
}

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

/** As nix.conf has them. */
export const linesWithout = (machines: readonly Machine[], names: readonly string[]): readonly string[] =>
  machines.filter(({ uri }) => !names.includes(machineName(uri))).map(({ line }) => line);
