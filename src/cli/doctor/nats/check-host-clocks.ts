// The clocks of hosts that are deployed to, as their last word shows them: a host whose clock is wrong obeys no order.
import type { DeployReader } from "../../../bus/deploy-bus.ts";
import type { HostState } from "../../../protocol/deploy/host-state.ts";
import { formatDuration } from "../../../words/duration.ts";
import { findingOf, ok, warning, wrong, type Finding } from "../finding.ts";

/** Hosts refuse orders that are older than they think by this much, and some of it is on the way. */
const aheadMs = 60_000;

export async function checkHostClocks(
  reader: Pick<DeployReader, "hostStates">,
  now: Date,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    return judgeHostClocks(await reader.hostStates(signal), now);
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf("host clocks", error)];
  }
}

/** Nothing where no host ever spoke. */
export function judgeHostClocks(states: readonly HostState[], now: Date): readonly Finding[] {
  if (states.length === 0) return [];
  const findings = states.flatMap(({ repo, host, at, clock }): Finding[] => {
    const check = `clock of ${repo}/${host}`;
    const advice = "let NTP set it: run timedatectl, and homelab-deploy doctor, on that host";
    if (!clock.ok) {
      return [
        wrong(
          check,
          `it is behind a time that the host knows to have passed: the host obeys no order`,
          advice,
        ),
      ];
    }
    const ahead = Date.parse(at) - now.getTime();
    if (ahead < aheadMs) return [];
    return [warning(check, `it is ${formatDuration(ahead)} ahead of the one here`, advice)];
  });
  return findings.length > 0 ? findings : [ok("host clocks", "no host reports a wrong clock")];
}
