// What the activator does with one message of the listener. It decides nothing: it stores the message in the mailbox of the
// process that deploys, and starts that process. The process verifies everything itself.
import type { Clock } from "../base/clock.ts";
import { bytesOf } from "../protocol/deploy/order.ts";
import type { System } from "../host/system.ts";
import type { ActivatorAnswer, ActivatorRequest } from "./activator-messages.ts";
import { decideStep } from "./decide-step.ts";
import type { HostMemory } from "./host-memory.ts";
import type { Mail, MailboxWriter } from "./mailbox.ts";

/** The unit in which the process that deploys runs. Its name is the lock: there is one at most. */
export interface ActivationUnit {
  /** @returns false when it runs already */
  start(signal: AbortSignal): Promise<boolean>;
  isActive(signal: AbortSignal): Promise<boolean>;
}

export interface ActivatorPorts {
  readonly mailbox: MailboxWriter;
  readonly unit: ActivationUnit;
  readonly system: Pick<System, "isProgramOf">;
  readonly readMemory: () => Promise<HostMemory | undefined>;
  readonly clock: Clock;
  /** The process at the other end of the socket, as systemd saw it. */
  readonly peer: number;
}

/** By then the process that deploys has either read what was put there, or ended, so that it can be started again. */
const startTries = 50;
const startEveryMs = 100;

export async function answerActivator(
  ports: ActivatorPorts,
  request: ActivatorRequest,
  signal: AbortSignal,
): Promise<ActivatorAnswer> {
  const { mailbox } = ports;
  switch (request.type) {
    case "order": {
      await handOver(ports, { envelope: bytesOf(request.envelope), isByRoot: false }, signal);
      return { answer: "taken" };
    }
    case "refused": {
      const { code, detail, order } = request;
      await mailbox.putRefused({ code, detail, order });
      await haveFound(ports, async () => mailbox.hasRefused(), signal);
      return { answer: "noted" };
    }
    case "confirm":
      return confirm(ports, request, signal);
    case "network": {
      await mailbox.putNetwork({ oldNats: request.oldNats, witnesses: request.witnesses });
      await wake(ports, signal);
      return { answer: "noted" };
    }
  }
}

/** Puts an order where it is found, and has it found. */
export async function handOver(
  ports: Pick<ActivatorPorts, "mailbox" | "unit" | "clock">,
  mail: Mail,
  signal: AbortSignal,
): Promise<void> {
  const { mailbox } = ports;
  await mailbox.putOrder(mail);
  await haveFound(ports, async () => mailbox.hasOrder(mail), signal);
}

/** The process that deploys may just be ending, and not look again. */
async function haveFound(
  { unit, clock }: Pick<ActivatorPorts, "unit" | "clock">,
  isThere: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; attempt < startTries; attempt++) {
    if (await unit.start(signal)) return;
    await clock.sleep(startEveryMs, signal);
    if (!(await isThere())) return;
  }
}

/** Only who was started from the new system can say that the new system can be reached. */
async function confirm(
  { mailbox, system, readMemory, peer }: ActivatorPorts,
  { order, epoch }: Extract<ActivatorRequest, { readonly type: "confirm" }>,
  signal: AbortSignal,
): Promise<ActivatorAnswer> {
  const current = (await readMemory())?.current;
  const isMeant = current?.order.id === order && current.epoch === epoch;
  // A confirmation from before the checks does not count: the system may have changed since.
  if (current === undefined || !isMeant || current.phase !== "checked") {
    return { answer: "ignored", detail: "no such deployment waits to be confirmed" };
  }
  if (!(await system.isProgramOf(peer, current.order.path, signal))) {
    return { answer: "ignored", detail: `process ${peer} was not started from ${current.order.path}` };
  }
  await mailbox.putConfirmation({ order, epoch });
  return { answer: "noted" };
}

/** The process that deploys may have been killed: the listener's next message then starts it again. */
async function wake({ readMemory, unit }: ActivatorPorts, signal: AbortSignal): Promise<void> {
  const current = (await readMemory())?.current;
  if (current !== undefined && decideStep(current) !== "wait") await unit.start(signal);
}
