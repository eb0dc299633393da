// `homelab-deploy host apply`: the same try, proof and permanence as for an order over NATS, begun by root on the host.
import { resolve } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import { readBytesBounded, whyUnreadable } from "../../base/files/read-bounded.ts";
import { safeLine } from "../../base/terminal-text.ts";
import { handOver } from "../../deploy/answer-activator.ts";
import { composeOrder, newOrderId } from "../../deploy/ordering/compose-order.ts";
import { readJournal } from "../../deploy/journal-file.ts";
import type { Mail } from "../../deploy/mailbox.ts";
import { deployExitCode } from "../../protocol/deploy/deploy-codes.ts";
import {
  decodeEnvelope,
  maxEnvelopeBytes,
  unverifiedOrder,
  type OrderId,
} from "../../protocol/deploy/order.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import { isStorePath, type StorePath } from "../../protocol/names.ts";
import { signOrder } from "../../signing/sign-envelope.ts";
import { newSigner } from "../../signing/signing-key-file.ts";
import type { ComposedHost } from "../../wiring/deploy/compose-host.ts";
import { deployEndText, deployEventText } from "../../words/deploy-words.ts";
import type { Context } from "../context.ts";

export interface ApplyOptions {
  readonly file?: string;
  readonly withoutStatement?: string;
  readonly confirm?: true;
}

const lookMs = 250;

/** @returns what stands for the deployment's outcome */
export async function applyByHand(
  context: Context,
  host: ComposedHost,
  { file, withoutStatement, confirm }: ApplyOptions,
  signal: AbortSignal,
): Promise<number> {
  const { clock } = context;
  const before = (await host.readMemory())?.nextIndex ?? 0;
  const mail = await mailOf(context, host, { file, withoutStatement }, signal);
  const order = unverifiedOrder(mail.envelope).id;
  await handOver({ ...host, clock }, mail, signal);
  let next = before;
  let idleLooks = 0;
  for (;;) {
    const content = await readJournal(host.stateDirectory);
    for (const { event } of content?.lines ?? []) {
      if (event.index < next) continue;
      next = event.index + 1;
      const text = deployEventText(event);
      if (text !== undefined) context.out.write(`${safeLine(text, false)}\n`);
      if (event.type === "checked" && confirm === true && event.order === order) {
        await confirmByHand(host, order);
      }
      if (event.order !== order) continue;
      if (event.type === "rejected") return deployExitCode("rejected", event.code);
      if (event.type === "staged") return exitCodes.unavailable;
      if (event.type === "finished") {
        context.out.write(`${safeLine(deployEndText(event), false)}\n`);
        return deployExitCode(event.outcome, event.code);
      }
    }
    idleLooks = (await host.unit.isActive(signal)) ? 0 : idleLooks + 1;
    // The last lines may have come between the two questions.
    if (idleLooks > 1) {
      if (!(await host.mailbox.hasOrder(mail)) && (await host.readMemory())?.lastOrder === order) {
        context.out.write("This host has taken that order before; its status says how it ended.\n");
        return exitCodes.refused;
      }
      throw new HomelabError("failed", "the unit that deploys has ended, and the order has not", {
        code: "ACTIVATION_UNIT",
        hint: "see why: journalctl -u homelab-deploy-activation",
      });
    }
    await clock.sleep(lookMs, signal);
  }
}

async function mailOf(
  { clock }: Context,
  host: ComposedHost,
  { file, withoutStatement }: Pick<ApplyOptions, "file" | "withoutStatement">,
  signal: AbortSignal,
): Promise<Mail> {
  if (file !== undefined && withoutStatement === undefined) return readMail(file);
  if (file === undefined && withoutStatement !== undefined && isStorePath(withoutStatement)) {
    return composeMail(host, withoutStatement, clock.now(), signal);
  }
  throw new HomelabError("usage", "name a file with an order, or a system with --without-statement", {
    code: "BAD_ARGUMENTS",
    hint: "homelab-deploy host apply FILE, or homelab-deploy host apply --without-statement /nix/store/…",
  });
}

async function readMail(file: string): Promise<Mail> {
  const bytes = await readBytesBounded(resolve(file), maxEnvelopeBytes).then(
    (read) => new Uint8Array(read.bytes),
    (error: unknown) => {
      throw new HomelabError("usage", `the order cannot be read from ${file}: ${whyUnreadable(error)}`, {
        code: "BAD_ORDER",
        hint: "an order is a file of JSON, as `homelab-deploy order show` prints it",
        cause: error,
      });
    },
  );
  decodeEnvelope(bytes);
  return { envelope: bytes, isByRoot: false };
}

/** An order of root's own. It is signed with a key that nobody keeps, because envelopes have a signature. */
async function composeMail(
  { policy, readMemory, system }: ComposedHost,
  path: StorePath,
  now: Date,
  signal: AbortSignal,
): Promise<Mail> {
  const { running } = await system.readPaths(signal);
  const { repo, host } = policy;
  const order = composeOrder(
    {
      kind: "activate",
      action: "switch",
      path,
      reboot: false,
      allowDowngrade: true,
      allowDrift: true,
      by: "root on this host",
    },
    {
      address: { repo, host },
      id: newOrderId(now),
      now,
      running,
      serials: [(await readMemory())?.serial],
    },
  );
  return { envelope: signOrder(order, newSigner()), isByRoot: true };
}

/** Whoever types this on the host sees that it can be reached. */
async function confirmByHand({ mailbox, readMemory }: ComposedHost, order: OrderId): Promise<void> {
  const current = (await readMemory())?.current;
  if (current?.order.id === order) await mailbox.putConfirmation({ order, epoch: current.epoch });
}
