// Whether the streams take a message and give it back: a log of a build that nobody has, which ages away like any other.
import { HomelabError } from "../../base/errors.ts";
import type { BuildId } from "../../protocol/names.ts";
import { logSubject, streams } from "../../protocol/subjects.ts";
import { call } from "../call.ts";
import type { Connection } from "../connect/connection.ts";
import { publishStored } from "../publish-stored.ts";
import { createStreamReader } from "../stored-messages.ts";

const attempts = 3;

/**
 * Only builders may store.
 *
 * @param nobody an id that no build has
 * @throws HomelabError as `explainNatsError` says; `unavailable` `NATS_STORAGE` if the stored message is missing.
 */
export async function tryStorage(
  connection: Connection,
  nobody: BuildId,
  signal: AbortSignal,
): Promise<void> {
  const subject = logSubject(nobody, 0);
  const publication = { subject, data: new TextEncoder().encode("homelab-deploy doctor") };
  const { seq } = await publishStored(connection, "store a message", publication, signal, attempts);
  const reader = createStreamReader(connection, streams.logs);
  const reading = "read a message that was stored";
  const found = await call(connection, reading, signal, async () => reader.last(subject), attempts);
  if (found?.sequence === seq) return;
  throw new HomelabError(
    "unavailable",
    `the server acknowledged a message of ${streams.logs} and does not have it`,
    {
      code: "NATS_STORAGE",
      hint: "look into the log of the NATS server, and at its disk",
    },
  );
}
