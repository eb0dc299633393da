// The mailbox as files of root in /run, each replaced whole. They are read by the process that deploys and written by the
// activator's short-lived processes, one for each message of the listener.
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { hasCode } from "../base/errors.ts";
import { readBounded } from "../base/files/read-bounded.ts";
import { replaceFile } from "../base/files/replace-file.ts";
import { decodeJson } from "../base/json.ts";
import { deployCodeNames } from "../protocol/deploy/deploy-codes.ts";
import { base64Of, bytesOf, OrderId } from "../protocol/deploy/order.ts";
import { newBuildId } from "../protocol/ulid.ts";
import { maxActivatorMessageBytes, NetworkEvidence } from "./activator-messages.ts";
import type { Mail, Mailbox, MailboxWriter } from "./mailbox.ts";

/** The listener reports every few seconds while a deployment waits for it. */
const freshMs = 30_000;
/** Enough to show that somebody tries. */
const mostRefused = 100;

const MailFile = v.object({ envelope: v.string(), isByRoot: v.boolean() });
const RefusedFile = v.object({
  code: v.picklist(deployCodeNames),
  detail: v.string(),
  order: v.optional(OrderId),
});
const ConfirmationFile = v.object({ order: OrderId, epoch: v.number() });

export function createMailbox(directory: string, clock: Clock): Mailbox & MailboxWriter {
  const at = (name: string): string => join(directory, name);
  const put = async (name: string, value: object): Promise<void> =>
    replaceFile(at(name), JSON.stringify(value));

  async function read<Schema extends v.GenericSchema>(
    name: string,
    schema: Schema,
  ): Promise<v.InferOutput<Schema> | undefined> {
    try {
      return decodeJson(schema, (await readBounded(at(name), maxActivatorMessageBytes)).text);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  const readOrder = async (): Promise<Mail | undefined> => {
    const file = await read("order", MailFile);
    return file === undefined ? undefined : { ...file, envelope: bytesOf(file.envelope) };
  };

  async function hasOrder(mail: Mail): Promise<boolean> {
    const waiting = await readOrder();
    return waiting !== undefined && base64Of(waiting.envelope) === base64Of(mail.envelope);
  }

  async function refusedNames(): Promise<readonly string[]> {
    const names = await readdir(directory).catch((error: unknown) => {
      if (hasCode(error, "ENOENT")) return [];
      throw error;
    });
    return names.filter((name) => name.startsWith("refused-") && !name.includes(".")).toSorted();
  }

  return {
    readOrder,
    hasOrder,
    async dropOrder(mail) {
      if (await hasOrder(mail)) await rm(at("order"), { force: true });
    },
    async takeRefused() {
      const [name] = await refusedNames();
      if (name === undefined) return undefined;
      const refused = await read(name, RefusedFile);
      await rm(at(name), { force: true });
      return refused;
    },
    async takeCleared() {
      const isThere = (await read("cleared", v.object({}))) !== undefined;
      if (isThere) await rm(at("cleared"), { force: true });
      return isThere;
    },
    putCleared: async () => put("cleared", {}),
    readConfirmation: async () => read("confirmation", ConfirmationFile),
    async readNetwork() {
      const age = await stat(at("network")).then(
        ({ mtimeMs }) => clock.now().getTime() - mtimeMs,
        () => Number.POSITIVE_INFINITY,
      );
      return Math.abs(age) > freshMs ? undefined : read("network", NetworkEvidence);
    },
    putOrder: async ({ envelope, isByRoot }) => put("order", { envelope: base64Of(envelope), isByRoot }),
    async putRefused(refused) {
      if ((await refusedNames()).length < mostRefused) {
        await put(`refused-${newBuildId(clock.now())}`, refused);
      }
    },
    hasRefused: async () => (await refusedNames()).length > 0,
    putConfirmation: async (confirmation) => put("confirmation", confirmation),
    putNetwork: async (evidence) => put("network", evidence),
  };
}
