// The socket of the activator: one line of JSON there, one line back.
import { connect } from "node:net";
import { withDeadline } from "../../base/deadline.ts";
import type { Clock } from "../../base/clock.ts";
import { HomelabError, messageOf } from "../../base/errors.ts";
import { decodeJson } from "../../base/json.ts";
import { ActivatorAnswer, maxActivatorMessageBytes, type Activator } from "../activator-messages.ts";

/** systemd starts the activator for each connection, and it waits a moment for an activation that is about to end. */
const patienceMs = 30_000;

export function createActivatorClient(socketPath: string, clock: Clock): Activator {
  const refuse = (why: string, cause?: unknown): HomelabError =>
    new HomelabError("unavailable", `the activator at ${socketPath} does not answer: ${why}`, {
      code: "ACTIVATOR_UNREACHABLE",
      hint: "systemctl status homelab-deploy-activate.socket",
      cause,
    });

  async function exchange(line: string, signal: AbortSignal): Promise<string> {
    const socket = connect({ path: socketPath, signal });
    try {
      socket.write(`${line}\n`);
      let text = "";
      for await (const chunk of socket) {
        text += String(chunk);
        if (text.length > maxActivatorMessageBytes) throw refuse("its answer is too long");
        if (text.includes("\n")) break;
      }
      return text.split("\n")[0] ?? "";
    } catch (error) {
      if (error instanceof HomelabError) throw error;
      throw refuse(messageOf(error), error);
    } finally {
      socket.destroy();
    }
  }

  return {
    async ask(request, signal) {
      const error = (): Error => refuse(`nothing came in ${patienceMs / 1000} s`);
      const answer = await withDeadline({ clock, milliseconds: patienceMs, error }, signal, async (limited) =>
        exchange(JSON.stringify(request), limited),
      ).catch((failure: unknown) => {
        signal.throwIfAborted();
        throw failure;
      });
      const decoded = decodeJson(ActivatorAnswer, answer);
      if (decoded === undefined) throw refuse("its answer cannot be read");
      return decoded;
    },
  };
}
