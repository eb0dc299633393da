import type { HostPrograms } from "../host-programs.ts";

/** What systemd says about a unit now: `active`, `inactive`, `failed`, `activating`, …; `inactive` of one it does not know. */
export async function readActiveState(
  programs: HostPrograms,
  unit: string,
  signal: AbortSignal,
): Promise<string> {
  const args = ["show", "--property=ActiveState", "--value", "--", unit];
  return (await programs.run("systemctl", args, signal)).stdout.trim();
}

/** Whether any process of it may be left, also while it starts or stops. */
export const isUnitRunning = async (
  programs: HostPrograms,
  unit: string,
  signal: AbortSignal,
): Promise<boolean> => !["inactive", "failed", ""].includes(await readActiveState(programs, unit, signal));
