// The words of the command line, each with its tone.
import type { HostCondition } from "../../fleet/running-hosts.ts";
import { conditionWords } from "../../fleet/running-words.ts";
import type { BuildSummary } from "../../protocol/results.ts";
import { isOwnFault, isSuccess, outcomeOf, type HostOutcome } from "../../protocol/verdicts.ts";
import { statusOf } from "../../protocol/build-state.ts";
import { verdictWords } from "../../words/verdict-words.ts";
import type { HostActivity } from "../state/fleet-picture.ts";
import type { Html } from "./html.ts";
import type { Tone } from "./page.ts";
import { state } from "./parts.ts";

export interface StateWord {
  readonly tone: Tone;
  readonly word: string;
}

/** A verdict that is missing is never shown as success. */
export function verdictState(outcome: HostOutcome | undefined): StateWord {
  if (outcome === undefined) return { tone: "warn", word: "no verdict" };
  const word = verdictWords[outcome];
  if (outcome === "internal-error" || isOwnFault(outcome)) return { tone: "bad", word };
  if (isSuccess(outcome)) return { tone: "good", word };
  return { tone: outcome === "infra-failed" ? "warn" : "idle", word };
}

export const verdictOf = (
  host: Parameters<typeof outcomeOf<Exclude<HostOutcome, "internal-error">>>[0],
): Html => {
  const { tone, word } = verdictState(outcomeOf(host));
  return state(tone, word);
};

/** As `homelab-deploy builds` names it. */
export function buildState(build: Pick<BuildSummary, "status" | "code">): StateWord {
  const status = statusOf(build);
  switch (status) {
    case "succeeded":
      return { tone: "good", word: status };
    case "failed":
      return { tone: "bad", word: status };
    case "internal-error":
      return { tone: "bad", word: "internal error" };
    case "running":
      return { tone: "busy", word: status };
    case "infra-failed":
    case "expired":
    case "rejected":
      return { tone: "warn", word: status };
    case "queued":
    case "cancelled":
      return { tone: "idle", word: status };
  }
}

/** What is done with a host now, in the words of the live view. */
export function activityState({
  host,
  isEvaluating,
}: Pick<HostActivity, "host" | "isEvaluating">): StateWord {
  if (isEvaluating) return { tone: "busy", word: "evaluating" };
  switch (host.phase) {
    case "waiting":
      return { tone: "idle", word: "waiting to be evaluated" };
    case "evaluated":
      return { tone: "idle", word: "waiting to be built" };
    case "building":
      return { tone: "busy", word: "building" };
    case "retrying":
      return { tone: "warn", word: "trying again after an infrastructure fault" };
    case "finished":
      return host.finished === undefined
        ? { tone: "warn", word: "no verdict" }
        : verdictState(outcomeOf(host.finished));
  }
}

/** What a host says about itself, as `homelab-deploy hosts` has it. */
export function conditionState(condition: HostCondition): Html {
  const { tone, text } = conditionWords(condition);
  return state(tone, text);
}
