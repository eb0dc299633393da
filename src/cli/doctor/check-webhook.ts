// Webhooks and ntfy: whether the file has an address, and a server answers there. Nothing is sent.
import { explainCertificateError } from "../../base/certificate-error.ts";
import { causesOf, messageOf } from "../../base/errors.ts";
import { webhookHost } from "../../notify/webhook.ts";
import { findingOf, ok, wrong, type Finding } from "./finding.ts";

const timeoutMs = 5000;

/**
 * @param setting that names its file: `update.webhookFile`
 * @param readUrl the secret
 */
export async function checkWebhook(
  { check, setting }: { readonly check: string; readonly setting: string },
  readUrl: () => Promise<string>,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Finding> {
  let url: string;
  let host: string;
  try {
    url = await readUrl();
    host = webhookHost(url);
    // ntfy has its topics right below its root: https://docs.ntfy.sh/publish/
    if (check === "ntfy" && !/^\/[-_A-Za-z0-9]{1,64}$/.test(new URL(url).pathname)) {
      return wrong(check, `${host} is named without a topic`, `put https://${host}/TOPIC into ${setting}`);
    }
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
    return wrong(check, `${host} cannot be reached: ${reason}`, `start it, or correct ${setting}`);
  }
}
