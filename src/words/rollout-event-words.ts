// The events of a rollout in lines, for those who read along without a live view.
import type { PlannedWave, RolloutEvent, RolloutEventOf } from "../protocol/rollout/rollout-events.ts";
import {
  clockTime,
  count,
  haltWords,
  listed,
  outcomeWords,
  resultText,
  triggerWords,
} from "./rollout-words.ts";

/**
 * No line for what another event says better.
 *
 * @param waves of the plan, for their names
 */
export function rolloutEventTexts(event: RolloutEvent, waves: readonly PlannedWave[]): readonly string[] {
  const waveName = (wave: number): string => waves[wave]?.name ?? String(wave + 1);
  switch (event.type) {
    case "created":
      return [
        `${event.by} asked for ${event.commit.slice(0, 7)} on ${count(event.hosts.length, "host")}${whyText(event)}`,
      ];
    case "planned":
      return event.part + 1 < event.parts ? [] : ["planned"];
    case "wave-started":
      return [`the wave ${waveName(event.wave)} begins`];
    case "ordered":
      return event.orders.map(
        ({ host, kind, attempt }) =>
          `${host}: ${orderWords[kind]}${attempt > 1 ? ` again, attempt ${attempt}` : ""}`,
      );
    case "ended":
      return event.results.map(({ host, ...result }) => `${host}: ${resultText(result)}`);
    case "fetch-ordered":
      return [`fetching ahead for the next wave: ${listed(event.orders.map(({ host }) => host))}`];
    // The order that counts tells what is wrong.
    case "fetch-ended":
      return [];
    case "left-out":
      return event.hosts.map(
        ({ host, detail }) => `${host}: ${event.why}${detail === undefined ? "" : `: ${detail}`}`,
      );
    case "withdrawn":
      return [`orders withdrawn: ${listed(event.orders.map(({ host }) => host))}`];
    case "soaking":
      return [`the wave ${waveName(event.wave)} soaks until ${clockTime(event.until)}`];
    case "soaked":
      return [`the wave ${waveName(event.wave)} is good`];
    case "paused":
      return [
        event.wave === undefined
          ? `paused by ${asked(event)}`
          : `waits for a person before the wave ${waveName(event.wave)}`,
      ];
    case "resumed":
      return [`resumed by ${asked(event)}`];
    case "aborted":
      return [`aborted by ${asked(event)}`];
    case "halted":
      return [`halted because ${haltWords[event.code]}: ${event.detail} (${event.code})`];
    case "finished":
      return [`${outcomeWords[event.outcome]}${event.detail === undefined ? "" : `: ${event.detail}`}`];
  }
}

const orderWords = {
  activate: "ordered",
  rollback: "ordered to go back",
  reboot: "ordered to reboot",
} as const;

/** That a person asked for it says `by` already. */
function whyText({ reason, trigger }: RolloutEventOf<"created">): string {
  if (reason !== undefined) return `: ${reason}`;
  return trigger === "person" ? "" : `: ${triggerWords[trigger]}`;
}

const asked = ({ by, reason }: { readonly by: string; readonly reason?: string }): string =>
  `${by}${reason === undefined ? "" : `: ${reason}`}`;
