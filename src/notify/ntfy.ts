// A topic on an ntfy server, which pushes to phones: https://docs.ntfy.sh/publish/
import { postNews, webhookHost } from "./webhook.ts";
import { secretsOfUrl } from "../redact/refusal-line.ts";

export interface NtfyMessage {
  /** ASCII, because it is a header. */
  readonly title: string;
  readonly text: string;
  /** ntfy shows some words as emoji: https://docs.ntfy.sh/emojis/ */
  readonly tag: string;
  readonly priority: "default" | "high";
}

/**
 * @param token an access token; undefined where the topic needs none
 * @returns what tells the topic, and throws HomelabError `unavailable` with code `WEBHOOK_FAILED`
 * @throws HomelabError `config` as `webhookHost` says
 */
export function createNtfy(
  url: string,
  token: string | undefined,
  fetch: typeof globalThis.fetch,
): (message: NtfyMessage, signal: AbortSignal) => Promise<void> {
  const host = webhookHost(url);
  const signIn: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const secrets = [...secretsOfUrl(url), ...(token === undefined ? [] : [token])];
  return async ({ title, text, tag, priority }, signal) => {
    const headers = { ...signIn, title, tags: tag, priority };
    const body = fitted(text);
    await postNews({ url, receiver: `ntfy at ${host}`, headers, body, secrets }, fetch, signal);
  };
}

/**
 * From 4096 bytes on ntfy takes a message for a file, which many servers refuse (`message-size-limit`,
 * https://docs.ntfy.sh/config/#message-size-limit).
 */
const mostBytes = 4095;

function fitted(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= mostBytes) return text;
  // Cut within a character, its bytes become marks of replacement.
  const start = bytes.subarray(0, mostBytes - 3).toString();
  return `${start.replace(/\ufffd+$/, "")}…`;
}
