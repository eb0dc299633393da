// The clock of a host that is deployed to: orders are good for minutes, so a clock that is off refuses them all.
import type { Environment } from "../../../base/environment.ts";
import type { ClockFloor } from "../../../deploy/clock-floor.ts";
import { floorAbove } from "../../../deploy/clock-floor.ts";
import type { Exec } from "../../../process/exec.ts";
import { checkClock, type ClockParts } from "../check-clock.ts";
import { ok, unknown, warning, wrong, type Finding } from "../finding.ts";

export interface HostClockParts extends ClockParts {
  readonly exec: Exec;
  readonly environment: Environment;
}

const timeoutMs = 5_000;
const advice = "let NTP set it: timedatectl set-ntp true";

/** What a clock is wrong by is one cause: the worst that is known about it comes first, and stands for the rest. */
export async function checkHostClock(
  floor: ClockFloor,
  sources: readonly string[],
  parts: HostClockParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const below = floorAbove(parts.clock.now(), floor);
  const isFloorKnown = floor.clockFloor !== undefined || floor.builtAfter !== undefined;
  const findings: readonly Finding[] =
    below === undefined
      ? isFloorKnown
        ? [ok("clock floor", "it is after everything that this host knows to have passed")]
        : []
      : [
          wrong(
            "clock floor",
            `it is ${parts.clock.now().toISOString()} here, and ${below} has passed: the host obeys no order`,
            advice,
            { cause: "clock" },
          ),
        ];
  const compared = sources.length === 0 ? [] : await checkClock(sources, parts, signal);
  return [...findings, ...compared, await checkSynchronisation(parts, signal)];
}

async function checkSynchronisation(
  { exec, environment }: HostClockParts,
  signal: AbortSignal,
): Promise<Finding> {
  const check = "clock synchronisation";
  const PATH = environment["PATH"] ?? "";
  try {
    const { stdout, exitCode } = await exec(
      "timedatectl",
      ["show", "--property=NTPSynchronized", "--value"],
      { env: { PATH, LC_ALL: "C.UTF-8" }, signal, timeoutMs },
    );
    const said = stdout.trim();
    if (exitCode === 0 && said === "yes") return ok(check, "the kernel says that it is synchronised");
    if (exitCode === 0 && said === "no") {
      return {
        ...warning(check, "according to the kernel it is not synchronised: it will drift", advice),
        cause: "clock",
      };
    }
  } catch {
    signal.throwIfAborted();
  }
  return unknown(check, "timedatectl does not report it", "see that some NTP client sets the clock");
}
