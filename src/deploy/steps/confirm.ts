// Waits for the new system's listener to show that this host can still be told what to do: a fresh connection to NATS, a
// stored word, and its orders read.
import { goBack, timeoutMs, type Activation } from "../activation.ts";
import { decideUnconfirmed } from "../decide-unconfirmed.ts";

const lookMs = 200;

export async function confirmStep(activation: Activation, signal: AbortSignal): Promise<void> {
  const { mailbox, clock } = activation;
  const { order, baseline } = activation.deployment();
  const confirmMs = await timeoutMs(activation, "confirm");
  const holdMs = await timeoutMs(activation, "hold");
  const startedAt = clock.monotonic();
  let until = startedAt + confirmMs;
  let heldSince: number | undefined;
  let heldMs = 0;
  for (;;) {
    const now = clock.monotonic();
    if (await isConfirmed(activation)) {
      const held = heldMs + (heldSince === undefined ? 0 : now - heldSince);
      return activation.announce({
        type: "confirmed",
        order: order.id,
        ms: Math.round(now - startedAt),
        heldMs: held === 0 ? undefined : Math.round(held),
      });
    }
    if (heldSince !== undefined) {
      const evidence = await mailbox.readNetwork();
      if (now - heldSince + heldMs >= holdMs) {
        return goBack(activation, "UNCONFIRMED", `NATS was away for ${Math.round(holdMs / 60_000)} min`);
      }
      if (evidence?.oldNats === true) {
        // It is back: the new system gets its whole time again.
        heldMs += now - heldSince;
        heldSince = undefined;
        until = now + confirmMs;
      }
    } else if (now >= until) {
      const evidence = await mailbox.readNetwork();
      const decision = decideUnconfirmed({ evidence, before: baseline?.network });
      if (decision.type === "undo") return goBack(activation, "UNCONFIRMED", decision.why);
      heldSince = now;
      await activation.announce({
        type: "warning",
        order: order.id,
        text: "NATS is down, but not because of this system: it keeps running, and is not permanent yet",
      });
    }
    await clock.sleep(lookMs, signal);
  }
}

async function isConfirmed({ mailbox, deployment }: Activation): Promise<boolean> {
  const { order, epoch } = deployment();
  const said = await mailbox.readConfirmation();
  return said !== undefined && said.order === order.id && said.epoch === epoch;
}
