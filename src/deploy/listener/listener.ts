// The listener of a host: it receives orders from NATS, and publishes what the host runs and does. It has no rights on the
// machine. Root's work is done by the activator, which obeys signatures alone.
import type { Clock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ListenerBus } from "../../bus/deploy-bus.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import type { Activator } from "../activator-messages.ts";
import type { Deployment } from "../host-memory.ts";
import { createAllowance } from "./allowance.ts";
import { confirmDeployments } from "./confirm.ts";
import { handOver, type RefusalMemory } from "./hand-over.ts";
import type { JournalWatch } from "./journal-watch.ts";
import type { Judge } from "./judge-order.ts";
import type { OpenFreshBus } from "./prove-connection.ts";
import { proveConnection } from "./prove-connection.ts";
import { publishEvents } from "./publish-events.ts";
import { publishOutput } from "./publish-output.ts";
import { publishState } from "./publish-state.ts";

export interface ListenerPorts {
  readonly journal: JournalWatch;
  /** Where the outputs of activations are. */
  readonly directory: string;
  readonly judge: Judge;
  readonly activator: Activator;
  readonly refusals: RefusalMemory;
  readonly readState: (signal: AbortSignal) => Promise<HostState>;
  readonly runsFrom: (deployment: Deployment, signal: AbortSignal) => Promise<boolean>;
  readonly sayNetwork: (signal: AbortSignal) => Promise<void>;
  /** Waits for NATS as long as it takes. */
  readonly openBus: (signal: AbortSignal) => Promise<ListenerBus>;
  readonly openFreshBus: OpenFreshBus;
  /** The journal is open. systemd must not wait for more, such as for NATS. */
  readonly onReady: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Until the signal aborts. @throws only for a bug; systemd then restarts the listener. */
export async function runListener(ports: ListenerPorts, signal: AbortSignal): Promise<void> {
  const { journal, clock, log, openFreshBus, readState } = ports;
  const mayRefuse = createAllowance(refusalsAllowed, clock);
  const ended = new AbortController();
  const running = AbortSignal.any([signal, ended.signal]);
  await journal.refresh();
  await ports.onReady();

  /** Somebody has to grant a missing right or repair a file that cannot be read. The other parts keep working meanwhile. */
  async function keepOn(what: string, work: (until: AbortSignal) => Promise<void>): Promise<void> {
    while (!running.aborted) {
      try {
        await work(running);
        return;
      } catch (error) {
        if (running.aborted) return;
        if (!(error instanceof HomelabError)) throw error;
        log.warn({ err: error }, `cannot ${what}`);
        await clock.sleep(afterFailureMs, running).catch(() => undefined);
      }
    }
  }

  async function withNats(): Promise<void> {
    const bus = await ports.openBus(running);
    await Promise.all([
      keepOn("follow orders", async (until) => handOver({ ...ports, bus, mayRefuse }, until)),
      keepOn("publish events", async (until) => publishEvents({ bus, journal, readState, clock }, until)),
      keepOn("publish the output of activations", async (until) => publishOutput({ ...ports, bus }, until)),
      keepOn("publish the state of this host", async (until) =>
        publishState({ bus, readState, changed: journal.notifier(), clock, log }, until),
      ),
    ]);
  }

  const prove = async (...[view, until]: Parameters<Parameters<typeof confirmDeployments>[0]["prove"]>) =>
    proveConnection({ openFreshBus, readState, clock }, view, until);
  const parts = [
    journal.run(running),
    keepOn("connect", withNats),
    keepOn("confirm deployments", async (until) => confirmDeployments({ ...ports, prove }, until)),
  ];
  try {
    await Promise.all(parts);
  } finally {
    ended.abort(new Error("the listener ends"));
    await Promise.allSettled(parts);
  }
}

const afterFailureMs = 10_000;
/** Enough for a person's mistakes, and for an alert when somebody floods. */
const refusalsAllowed = { atOnce: 10, everyMs: 60_000 };
