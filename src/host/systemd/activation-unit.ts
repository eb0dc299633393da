// The unit in which a host deploys. It is not a child of the process that starts it, because a switch ends the listener with
// all its children. Its fixed name is the lock against a second one.
import type { HostPrograms } from "../host-programs.ts";
import { commandFailed, lastLineOf } from "../host-programs.ts";
import { isUnitRunning } from "./active-state.ts";

export const activationUnitName = "homelab-deploy-activation.service";

export interface ActivationUnitOptions {
  readonly programs: HostPrograms;
  /** What runs in it, with its arguments. */
  readonly command: readonly string[];
  /** PATH and what else Nix has to know. */
  readonly environment: Readonly<Record<string, string>>;
}

/** @returns whether it was started, and false where it runs already; and whether it runs */
export function createActivationUnit({ programs, command, environment }: ActivationUnitOptions) {
  const settings = Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`);
  return {
    async start(signal: AbortSignal): Promise<boolean> {
      const args = [
        "--no-block",
        "--collect",
        "--no-ask-password",
        `--unit=${activationUnitName}`,
        "--service-type=exec",
        "--description=Deployment by homelab-deploy",
        // After it was killed it resumes from its journal.
        "--property=Restart=on-failure",
        "--property=RestartSec=1",
        ...settings,
        "--",
        ...command,
      ];
      const result = await programs.ask("systemd-run", args, signal);
      if (result.exitCode === 0) return true;
      // systemd 252 says "was already loaded", newer ones "already exists" or "already loaded".
      if (/already (?:loaded|exists)/.test(result.stderrTail)) return false;
      throw commandFailed("systemd-run", args, lastLineOf(result));
    },
    isActive: async (signal: AbortSignal): Promise<boolean> =>
      isUnitRunning(programs, activationUnitName, signal),
  };
}
