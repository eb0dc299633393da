// How one kind of news is kept and told: by webhook, by script and by ntfy.
import { plainText } from "../base/terminal-text.ts";
import { redact } from "../redact/redact.ts";
import type { NtfyMessage } from "./ntfy.ts";
import type { NewsFormat, Teller } from "./outbox.ts";
import type { WebhookMessage } from "./webhook.ts";

export interface NewsKind<News extends object> extends NewsFormat<News> {
  /** With all foreign text in it as `cleanText` leaves it. */
  readonly cleaned: (news: News) => News;
  /** A few words. ASCII, because they are a header for ntfy. */
  readonly title: (news: News) => string;
  readonly sentence: (news: News) => string;
  readonly looks: (news: News) => Pick<NtfyMessage, "tag" | "priority">;
}

/** Fit to be shown, and without what looks like a secret. */
export const cleanText = (text: string): string => redact(plainText(text), []);

export const bad = { tag: "x", priority: "high" } as const;
export const good = { tag: "white_check_mark", priority: "default" } as const;

/** For a webhook and for a script. */
export const tellWithText =
  <News extends object>(
    { cleaned, sentence }: NewsKind<News>,
    tell: (message: WebhookMessage, signal: AbortSignal) => Promise<void>,
  ): Teller<News> =>
  async (news, signal) => {
    const event = cleaned(news);
    await tell({ text: sentence(event), event }, signal);
  };

export const tellByNtfy =
  <News extends object>(
    { cleaned, title, sentence, looks }: NewsKind<News>,
    tell: (message: NtfyMessage, signal: AbortSignal) => Promise<void>,
  ): Teller<News> =>
  async (news, signal) => {
    const clean = cleaned(news);
    await tell({ title: title(clean), text: sentence(clean), ...looks(clean) }, signal);
  };
