// A webhook for people who have a chat: one POST with what Slack-compatible receivers show, and all of it for programs.
import { explainCertificateError } from "../base/certificate-error.ts";
import { HomelabError } from "../base/errors.ts";
import { refusalOf, secretsOfUrl } from "../redact/refusal-line.ts";

const timeoutMs = 10_000;

export interface WebhookMessage {
  /** One line for people. */
  readonly text: string;
  readonly event: object;
}

/**
 * @returns what tells the receiver, and throws HomelabError `unavailable` with code `WEBHOOK_FAILED`
 * @throws HomelabError `config` as `webhookHost` says
 */
export function createWebhook(
  url: string,
  fetch: typeof globalThis.fetch,
): (message: WebhookMessage, signal: AbortSignal) => Promise<void> {
  const host = webhookHost(url);
  return async (message, signal) => {
    const request = { headers: { "content-type": "application/json" }, body: JSON.stringify(message) };
    await postNews(
      { url, receiver: `the webhook at ${host}`, secrets: secretsOfUrl(url), ...request },
      fetch,
      signal,
    );
  };
}

export interface Post {
  readonly url: string;
  /** For errors. The URL itself may hold a secret, so only its host is named. */
  readonly receiver: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What was sent, and must not be quoted from the answer. */
  readonly secrets: readonly string[];
}

/** @throws HomelabError `unavailable` with code `WEBHOOK_FAILED` when the receiver does not take it */
export async function postNews(
  { url, receiver, headers, body, secrets }: Post,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<void> {
  const failed = (why: string, cause?: unknown): HomelabError =>
    new HomelabError("unavailable", `${receiver} ${why}`, { code: "WEBHOOK_FAILED", cause });
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers },
    body,
    redirect: "error",
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw (
      explainCertificateError(error, receiver) ??
      failed("cannot be reached", error instanceof Error ? error.cause : undefined)
    );
  });
  if (!response.ok) throw failed(`answered ${await refusalOf(response, secrets)}`);
  await response.body?.cancel();
}

/** @throws HomelabError `config` with code `BAD_WEBHOOK`, without anything of a secret */
export function webhookHost(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new HomelabError("config", "the webhook's file does not contain a URL", {
      code: "BAD_WEBHOOK",
      hint: "it has one line: https://…",
    });
  }
  // fetch refuses such an address, and quotes it.
  if (parsed.username !== "" || parsed.password !== "") {
    throw new HomelabError(
      "config",
      `the address of the webhook at ${parsed.host} has a user or a password`,
      {
        code: "BAD_WEBHOOK",
        hint: "use an address with its secret in the path or the query, such as https://ntfy.lan/topic?auth=…",
      },
    );
  }
  return parsed.host;
}
