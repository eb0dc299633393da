// While a deployment is under way it reports who answers on the network. Once the new system has passed its checks, it proves
// that this host can still be reached, and confirms that to the activator, which accepts it only from the new system's process.
import type { Clock } from "../../base/clock.ts";
import { isBug } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Activator } from "../activator-messages.ts";
import type { Deployment, Phase } from "../host-memory.ts";
import type { JournalView, JournalWatch } from "./journal-watch.ts";
import { waitAtMost } from "./wait-at-most.ts";

export interface Confirmation {
  readonly journal: JournalWatch;
  readonly activator: Activator;
  /** Over a connection of its own: see prove-connection.ts. */
  readonly prove: (view: JournalView, signal: AbortSignal) => Promise<void>;
  /** Whether this process is one of that system. */
  readonly runsFrom: (deployment: Deployment, signal: AbortSignal) => Promise<boolean>;
  readonly sayNetwork: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

const idleMs = 60_000;

/** What to do in a phase, and how often. */
function duties(phase: Phase): { readonly proves: boolean; readonly everyMs: number } | undefined {
  switch (phase) {
    // Before anything is changed: what answers now is what must answer afterwards.
    case "received":
    case "fetching":
    case "fetched":
      return { proves: false, everyMs: 10_000 };
    case "activating":
    case "activated":
    case "checking":
      return { proves: false, everyMs: 5000 };
    // All checks have passed, and the system waits to be confirmed.
    case "checked":
      return { proves: true, everyMs: 3000 };
    // The process that deploys may have been killed: our message starts it again.
    case "ready":
    case "confirmed":
    case "persisting":
    case "booted":
    case "rolling-back":
      return { proves: false, everyMs: 10_000 };
    case "staged":
    case "rebooting":
      return undefined;
  }
}

export async function confirmDeployments(ports: Confirmation, signal: AbortSignal): Promise<void> {
  const { journal, clock, log } = ports;
  const notifier = journal.notifier();
  while (!signal.aborted) {
    const view = journal.view();
    const current = view?.memory.current;
    const todo = current && duties(current.phase);
    try {
      if (view !== undefined && current !== undefined && todo !== undefined) {
        const isProven = todo.proves && (await confirm(ports, view, current, signal));
        if (!isProven) await ports.sayNetwork(signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isBug(error)) throw error;
      log.warn({ err: error }, "the state of the network cannot be reported to the activator");
    }
    await waitAtMost(notifier, todo?.everyMs ?? idleMs, clock, signal);
  }
}

async function confirm(
  { prove, runsFrom, activator, log }: Confirmation,
  view: JournalView,
  deployment: Deployment,
  signal: AbortSignal,
): Promise<boolean> {
  const { epoch, order } = deployment;
  try {
    if (!(await runsFrom(deployment, signal))) {
      log.info({ order: order.id }, "this listener is not one of the new system, and confirms nothing");
      return false;
    }
    await prove(view, signal);
  } catch (error) {
    if (signal.aborted || isBug(error)) throw error;
    log.warn({ order: order.id, err: error }, "the new system is not confirmed yet");
    return false;
  }
  const { answer, detail } = await activator.ask({ type: "confirm", order: order.id, epoch }, signal);
  if (answer !== "noted") {
    log.info({ order: order.id, answer, detail }, "the activator did not take the confirmation");
    return false;
  }
  log.info({ order: order.id }, "the new system was confirmed");
  return true;
}
