// One message of the listener from standard input, and the answer to standard output: systemd makes a process for each
// connection to the activator's socket.
import { HomelabError } from "../../base/errors.ts";
import { decodeJson } from "../../base/json.ts";
import { answerActivator } from "../../deploy/answer-activator.ts";
import { ActivatorRequest, type ActivatorAnswer } from "../../deploy/activator-messages.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import type { ComposedHost } from "../../wiring/deploy/compose-host.ts";
import type { Context } from "../context.ts";
import { readMessage } from "./read-message.ts";

export async function answerListener(
  { out, clock }: Context,
  { mailbox, unit, system, readMemory }: ComposedHost,
  peer: number,
  signal: AbortSignal,
): Promise<number> {
  const line = await readMessage(process.stdin, clock, signal);
  const request = decodeJson(ActivatorRequest, line);
  if (request === undefined) {
    throw new HomelabError("usage", "this is not a message for the activator", {
      code: "BAD_MESSAGE",
      hint: "only the listener of this host may use this socket; upgrade both to the same release",
    });
  }
  const answer: ActivatorAnswer = await answerActivator(
    { mailbox, unit, system, readMemory, clock, peer },
    request,
    signal,
  );
  out.write(`${JSON.stringify(answer)}\n`);
  return exitCodes.success;
}
