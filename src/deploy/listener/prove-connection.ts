// What shows that this host, as it is now, can be told what to do next: a connection that did not exist before, a stored word,
// and the orders read. A connection from before the switch shows nothing: firewalls leave it open.
import { withDeadline } from "../../base/deadline.ts";
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import type { ListenerBus } from "../../bus/deploy-bus.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import type { JournalView } from "./journal-watch.ts";
import { publishNow } from "./publish-events.ts";

/** A bus on a new connection, with the settings as they are in the file now. */
export type OpenFreshBus = (signal: AbortSignal) => Promise<ListenerBus & AsyncDisposable>;

export interface Proof {
  readonly openFreshBus: OpenFreshBus;
  readonly readState: (signal: AbortSignal) => Promise<HostState>;
  readonly clock: Clock;
}

/** Evidence of the network is old after 30 s, and comes between two proofs. */
const patienceMs = 12_000;

/** @throws whatever kept it from working */
export async function proveConnection(
  { openFreshBus, readState, clock }: Proof,
  { lines }: JournalView,
  signal: AbortSignal,
): Promise<void> {
  const error = (): Error =>
    new HomelabError("unavailable", "NATS did not answer over a new connection in time", {
      code: "NATS_UNREACHABLE",
      hint: "see what the new system changed about the network, the key and nats.servers",
    });
  await withDeadline({ clock, milliseconds: patienceMs, error }, signal, async (limited) => {
    await using bus = await openFreshBus(limited);
    // NATS may have all events already, over the old connection: the state is stored again in any case.
    await publishNow(bus, lines, limited);
    await bus.putHostState(await readState(limited), limited);
    await bus.newestOrder(limited);
  });
}
