import type { HostPrograms } from "../host-programs.ts";
import type { System } from "../system.ts";
import { parseJobs, parseUnitStates, unitPatterns, unitProperties } from "./unit-states.ts";

/** Units of our own, whose jobs are not what a switch has left. */
const isOurs = (unit: string): boolean => unit.startsWith("homelab-deploy-");

type SystemctlCalls = Pick<System, "readUnits" | "isBooting" | "cancelJobs" | "startUnits" | "reboot">;

export function createSystemctl(programs: HostPrograms): SystemctlCalls {
  const systemctl = async (args: readonly string[], signal: AbortSignal) =>
    programs.run("systemctl", args, signal);

  return {
    async readUnits(signal) {
      const args = ["show", "--all", `--property=${unitProperties.join(",")}`, "--", ...unitPatterns];
      return parseUnitStates((await systemctl(args, signal)).stdout);
    },
    async isBooting(signal) {
      // It exits with 1 for every state but `running`.
      const { stdout } = await programs.ask("systemctl", ["is-system-running"], signal);
      return ["initializing", "starting"].includes(stdout.trim());
    },
    async cancelJobs(signal) {
      const { stdout } = await systemctl(["list-jobs", "--plain", "--no-legend"], signal);
      const left = parseJobs(stdout).filter(({ unit }) => !isOurs(unit));
      if (left.length === 0) return;
      // One that ended meanwhile is an error of systemctl, and what was wanted.
      await programs.ask("systemctl", ["cancel", ...left.map(({ id }) => id)], signal);
    },
    async startUnits(names, signal) {
      // One at a time: a unit that is refused must not keep the others from being started.
      for (const name of names) {
        await programs.ask("systemctl", ["start", "--no-block", "--no-ask-password", "--", name], signal);
      }
    },
    async reboot(signal) {
      await systemctl(["reboot", "--no-block", "--no-ask-password"], signal);
    },
  };
}
