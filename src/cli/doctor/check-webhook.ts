// The webhook that is told of updates: whether there is an address in its file, and a server at it. Nothing is told.
import { explainCertificateError } from "../../base/certificate-error.ts";
import { causesOf, messageOf } from "../../base/errors.ts";
import { webhookHost } from "../../update/tell/webhook.ts";
import { findingOf, ok, wrong, type Finding } from "./finding.ts";

const check = "webhook";
const timeoutMs = 5000;

/** @param readUrl the secret */
export async function checkWebhook(
  readUrl: () => Promise<string>,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Finding> {
  let url: string;
  let host: string;
  try {
    url = await readUrl();
    host = webhookHost(url);
  } catch (error) {
    return findingOf(check, error);
  }
  try {
    // The address itself may hold a secret and may act on a question: only its server is asked.
    await fetch(new URL("/", url), {
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    return ok(check, `${host} answers`);
  } catch (error) {
    signal.throwIfAborted();
    const untrusted = explainCertificateError(error, host);
    if (untrusted !== undefined) return findingOf(check, untrusted);
    const reason = [messageOf(error), ...causesOf(error)].join(": ");
    return wrong(
      check,
      `${host} is out of reach: ${reason}`,
      "start it, or correct what stands in update.webhookFile",
    );
  }
}
