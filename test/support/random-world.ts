// Fleets for random histories: small ones, in which most ways to break and to be innocent of it come up.
import type { Choices } from "./random-choices.ts";
import { allInputs, movedWith, type Breakage, type UpdateWorld } from "./update-world.ts";

const inputNames = ["alpha", "beta", "delta", "gamma"] as const;
const hostNames = ["db", "nas", "web"] as const;

/** Two to four inputs, of which some break hosts from some state on: by themselves, or with, or without, another. */
export function randomWorld(choices: Choices): UpdateWorld {
  const hosts = choices.some(hostNames, choices.count(1, 3));
  const inputs = choices.some(inputNames, choices.count(2, 4));
  const floating = choices.chance(0.4) ? choices.some(inputs, choices.count(1, 2)) : [];
  const below = Object.fromEntries(floating.map((input) => [input, `${input}-lib`]));
  const world = { hosts, inputs, below, breakages: [] };
  const breakages = Array.from({ length: choices.count(0, 4) }, () => randomBreakage(world, choices));
  return { ...world, breakages };
}

/** None while all inputs are at their first state. */
function randomBreakage(world: UpdateWorld, choices: Choices): Breakage {
  const hosts = choices.some(world.hosts, choices.count(1, world.hosts.length));
  const verdict = choices.pick(["build-failed", "build-failed", "eval-failed"] as const);
  const range = (input: string): Breakage["when"][number] => {
    const from = choices.count(2, 5);
    return { input, from, to: choices.chance(0.5) ? 1000 : from + choices.count(0, 2) };
  };
  const [one, another] = choices.some(world.inputs, 2).map((input) => choices.pick(movedWith(world, input)));
  if (one === undefined || another === undefined) throw new RangeError("a world has two inputs");
  switch (choices.pick(["alone", "alone", "together", "without"] as const)) {
    case "alone":
      return { hosts, verdict, when: [range(choices.pick(allInputs(world)))] };
    case "together":
      return { hosts, verdict, when: [range(one), range(another)] };
    case "without":
      return { hosts, verdict, when: [range(one), { input: another, from: 0, to: choices.count(1, 4) }] };
  }
}
