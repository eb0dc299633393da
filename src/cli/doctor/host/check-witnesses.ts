// Who answers on the network beside NATS. A host that cannot reach NATS after a switch asks its witnesses: with none that
// answers, a NATS that is down is taken for a network that the new system has cut.
import type { NetworkEvidence } from "../../../deploy/activator-messages.ts";
import { ok, warning, wrong, type Finding } from "../finding.ts";

const option = "services.homelab-deploy.listener.witnesses";

export function checkWitnesses(
  witnesses: readonly string[],
  { oldNats, witnesses: answering }: NetworkEvidence,
): readonly Finding[] {
  if (witnesses.length === 0) {
    return [
      warning(
        "witnesses",
        "there are none, so a short outage of NATS makes a deploy roll back",
        `name addresses in ${option} that answer while the network works: the cache, the gateway`,
      ),
    ];
  }
  const silent = witnesses.filter((witness) => !answering.includes(witness));
  if (silent.length === 0) return [ok("witnesses", `${witnesses.join(", ")} answer`)];
  if (silent.length === witnesses.length && !oldNats) {
    return [
      wrong(
        "network",
        `neither NATS nor ${silent.join(", ")} answers`,
        "see whether this host has an address, a route and DNS: ip route, resolvectl status",
        { cause: natsSilent },
      ),
    ];
  }
  return silent.map((witness) =>
    warning(
      `witness ${witness}`,
      "it does not answer, so the host cannot tell whether NATS or the network is down",
      `see why, or name another one in ${option}`,
    ),
  );
}

/** What the connection to NATS fails of as well. */
export const natsSilent = "NATS does not answer";
