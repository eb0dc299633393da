// A webhook for people who have a chat or ntfy: one POST with what Slack-compatible receivers show, and the event.
import { explainCertificateError } from "../../base/certificate-error.ts";
import { HomelabError } from "../../base/errors.ts";
import type { UpdateEvent, UpdateOutcome } from "../../protocol/update-events.ts";
import { effectSentence } from "../landed/effect-words.ts";
import { countWords } from "../judge/class-words.ts";
import { refusalOf, secretsOfUrl } from "../../redact/refusal-line.ts";
import type { Teller } from "./outbox.ts";

const timeoutMs = 10_000;

/** @param outcomes others are not told; an input that needs a person is, to those who are told of proposals */
export function createWebhookTeller(
  url: string,
  outcomes: readonly UpdateOutcome[],
  fetch: typeof globalThis.fetch,
): Teller {
  const host = webhookHost(url);
  return async (event, signal) => {
    if (!outcomes.includes(event.outcome) && !(outcomes.includes("proposed") && needsYou(event))) return;
    const failed = (why: string, cause?: unknown): HomelabError =>
      new HomelabError("unavailable", `the webhook at ${host} ${why}`, { code: "WEBHOOK_FAILED", cause });
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: sentenceOf(event), event }),
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw (
        explainCertificateError(error, `the webhook at ${host}`) ??
        failed("is out of reach", error instanceof Error ? error.cause : undefined)
      );
    });
    // The URL itself may hold a secret, so only its host is named.
    if (!response.ok) throw failed(`answered ${await refusalOf(response, secretsOfUrl(url))}`);
    await response.body?.cancel();
  };
}

/** @throws HomelabError `config` with code `BAD_WEBHOOK`, without anything of a secret */
export function webhookHost(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new HomelabError("config", "what stands in the webhook's file is no address", {
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

/** Of repos that use it, what did not become green. */
function downstreamSentence(downstream: UpdateEvent["downstream"] = {}): string {
  const bad = Object.entries(downstream).flatMap(([repo, counts]) => {
    const classes = Object.entries(counts).filter(([name]) => !["ok", "unchanged", "fixed"].includes(name));
    return classes.length === 0
      ? []
      : [`${repo}: ${classes.map(([name, count]) => countWords(name, count)).join(", ")}`];
  });
  return bad.length === 0 ? "" : ` With it in repos that use it: ${bad.join("; ")}.`;
}

const needsYou = ({ unavailable = [] }: UpdateEvent): boolean =>
  unavailable.some(({ needsPerson }) => needsPerson);

/** Of inputs that stay as they are until somebody does something. */
function inputSentence({ unavailable = [], reason = "" }: UpdateEvent): string {
  const stuck = unavailable.filter(({ needsPerson }) => needsPerson);
  const [first] = stuck;
  if (first === undefined || reason.includes(first.reason)) return "";
  const more = stuck.length === 1 ? "" : ` (and ${stuck.length - 1} more)`;
  return ` The input ${first.input}${more} needs you: ${first.reason}.`;
}

/** One line for people. */
export const sentenceOf = (event: UpdateEvent): string => `${outcomeSentence(event)}${inputSentence(event)}`;

function outcomeSentence(event: UpdateEvent): string {
  const { repo, outcome, commit, inputs, downstream, effect, url, reason } = event;
  const what =
    inputs.length === 0 ? "" : ` (${inputs.slice(0, 5).join(", ")}${inputs.length > 5 ? ", …" : ""})`;
  switch (outcome) {
    case "landed":
      return `${repo}: the update${what} has landed as ${commit?.slice(0, 7) ?? "a commit"}: it builds on every host.${effect === undefined ? "" : ` ${effectSentence(effect)}`.trimEnd()}${downstreamSentence(downstream)}`;
    case "proposed":
      return `${repo}: the update${what} needs you${reason === undefined ? "" : `: ${reason}`}. ${url ?? ""}`.trim();
    case "declined":
      return `${repo}: the update${what} was closed by a person before, and is not proposed again. ${url ?? ""}`.trim();
    case "no-change":
      return `${repo}: there is nothing to update.`;
    case "failed":
      return `${repo}: the update could not be judged${reason === undefined ? "" : `: ${reason}`}.`;
  }
}
