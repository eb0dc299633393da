// The webhook for updates: which updates it gets, and how they are described.
import type { Teller } from "../../notify/outbox.ts";
import type { UpdateEvent, UpdateOutcome } from "../../protocol/update-events.ts";
import { effectSentence } from "../landed/effect-words.ts";
import { countWords } from "../judge/class-words.ts";

/**
 * @param post tells the receiver
 * @param outcomes which outcomes are sent. Recipients of proposals also get inputs that need a person
 */
export const createUpdateTeller =
  (
    post: (message: { readonly text: string; readonly event: object }, signal: AbortSignal) => Promise<void>,
    outcomes: readonly UpdateOutcome[],
  ): Teller<UpdateEvent> =>
  async (event, signal) => {
    if (!outcomes.includes(event.outcome) && !(outcomes.includes("proposed") && needsYou(event))) return;
    await post({ text: sentenceOf(event), event }, signal);
  };

/** Names the repos downstream that did not become green. */
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

/** Names the inputs that stay as they are until somebody acts. */
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
