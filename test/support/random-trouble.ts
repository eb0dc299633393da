// What goes wrong in one run of an update, by the number of the call that it makes.
import type { Disturb, Disturbance, Place } from "./disturbed-ports.ts";
import type { Choices } from "./random-choices.ts";

export interface TroubleActs {
  /** A person pushes. */
  readonly push: () => Promise<void>;
  readonly takeAway: (inputs: readonly string[]) => Promise<void>;
  readonly failBuilders: (rate: number) => Promise<void>;
}

export interface Trouble {
  readonly kinds: readonly string[];
  /** What is wrong from the start. */
  readonly begin: () => Promise<void>;
  readonly disturb: Disturb;
}

const kinds = [
  "nothing",
  "nothing",
  "killed",
  "people",
  "remote",
  "forge",
  "builders",
  "sources",
  "verdicts",
] as const;
type Rule = (place: Place, call: number) => Disturbance | undefined;
/** A run makes about so many calls. */
const calls = 60;

export function planTrouble(choices: Choices, inputs: readonly string[], acts: TroubleActs): Trouble {
  const chosen = choices.some(kinds, choices.count(1, 2));
  const rate = choices.pick([0.1, 0.5, 1]);
  const rules = chosen.map((kind) => ruleOf(kind, choices, inputs, acts));
  let call = 0;
  return {
    kinds: chosen,
    begin: async () => {
      if (chosen.includes("verdicts")) await acts.failBuilders(rate);
    },
    disturb(place) {
      call++;
      return rules.map((rule) => rule(place, call)).find((disturbance) => disturbance !== undefined);
    },
  };
}

function ruleOf(
  kind: (typeof kinds)[number],
  choices: Choices,
  inputs: readonly string[],
  { push, takeAway }: TroubleActs,
): Rule {
  const first = choices.chance(0.3) ? 1 : choices.count(1, calls);
  const last = first + choices.pick([0, 1, 5, 20, 1000]);
  const isLate = choices.chance(0.5);
  switch (kind) {
    case "nothing":
    case "verdicts":
      return () => undefined;
    case "killed":
      return (_, call) => (call === first ? { type: isLate ? "killed-after" : "killed-before" } : undefined);
    case "people": {
      const times = new Set(Array.from({ length: choices.count(1, 3) }, () => choices.count(1, calls)));
      return (_, call) => (times.has(call) ? { type: "meanwhile", act: push } : undefined);
    }
    case "remote":
    case "forge":
    case "builders":
      return (place, call) => {
        if (place !== kind || call < first || call > last) return undefined;
        return { type: isLate && call === first ? "away-after" : "away" };
      };
    case "sources": {
      const down = choices.some(inputs, choices.count(1, 2));
      const act = async (): Promise<void> => takeAway(down);
      return (_, call) => (call === first ? { type: "meanwhile", act } : undefined);
    }
  }
}
