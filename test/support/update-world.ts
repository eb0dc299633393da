// What a random history of updates is about: inputs that move, and what they break. The generator knows it, so that
// whatever an update says of them can be judged. Pure.
import type { HostVerdict } from "../../src/protocol/verdicts.ts";

/** Of each input, those below others too, by its name: it counts its commits. */
export type InputStates = Readonly<Record<string, number>>;

/** Hosts that fail while each of these inputs is at one of its states `from`, …, `to`. */
export interface Breakage {
  readonly hosts: readonly string[];
  readonly verdict: "build-failed" | "eval-failed";
  readonly when: readonly { readonly input: string; readonly from: number; readonly to: number }[];
}

export interface UpdateWorld {
  readonly hosts: readonly string[];
  /** Of the flake itself, sorted. */
  readonly inputs: readonly string[];
  /** An input of an input that has no lock of its own, by the input that it is below: it floats. */
  readonly below: Readonly<Record<string, string>>;
  readonly breakages: readonly Breakage[];
}

/** Every name has a state: inputs of the flake, and those below them. */
export const allInputs = ({ inputs, below }: UpdateWorld): readonly string[] =>
  inputs.flatMap((input) => (below[input] === undefined ? [input] : [input, below[input]]));

/** What Nix locks again with an input. */
export const movedWith = ({ below }: UpdateWorld, input: string): readonly string[] =>
  below[input] === undefined ? [input] : [input, below[input]];

/** What becomes of a host, when nothing is wrong with the infrastructure. */
export function verdictOf({ breakages }: UpdateWorld, states: InputStates, host: string): HostVerdict {
  const active = breakages.find(
    ({ hosts, when }) => hosts.includes(host) && when.every((range) => isWithin(range, states)),
  );
  return active?.verdict ?? "built";
}

const isWithin = ({ input, from, to }: Breakage["when"][number], states: InputStates): boolean => {
  const state = states[input] ?? 0;
  return state >= from && state <= to;
};

export const failingHosts = (world: UpdateWorld, states: InputStates): readonly string[] =>
  world.hosts.filter((host) => verdictOf(world, states, host) !== "built");

/** Inputs of the flake that an update moves, by themselves or below. */
export const movedInputs = (
  world: UpdateWorld,
  { before, after }: Pick<Change, "before" | "after">,
): readonly string[] =>
  world.inputs.filter((input) => movedWith(world, input).some((name) => before[name] !== after[name]));

/** The base, with these inputs as in the update. */
export function withInputs(
  world: UpdateWorld,
  { before, after }: Pick<Change, "before" | "after">,
  inputs: readonly string[],
): InputStates {
  const taken = inputs.flatMap((input) => movedWith(world, input));
  return { ...before, ...Object.fromEntries(taken.map((name) => [name, after[name] ?? 0])) };
}

/** An update: from the base's inputs to the candidate's. */
export interface Change {
  readonly before: InputStates;
  readonly after: InputStates;
}

export interface Culprits {
  /** Hosts that the update breaks. */
  readonly hosts: readonly string[];
  /** Inputs that have a part in it: without them, and perhaps others, a host builds again that needs each of them gone. */
  readonly involved: ReadonlySet<string>;
  /** Whether these alone, on the base, break one of the hosts. */
  readonly breakAlone: (inputs: readonly string[]) => boolean;
  /** Whether all hosts that the update breaks build without these. */
  readonly buildWithout: (inputs: readonly string[]) => boolean;
  /**
   * What has to be named, where a proof needs few questions: one input that alone breaks all that is broken, while all
   * builds without it; or two of which neither breaks anything by itself. Undefined too where parts of the update fail
   * in other ways than the whole: those prove nothing.
   */
  readonly evident: readonly string[] | undefined;
}

/** Of at most a handful of inputs: all their sets are gone through. */
export function findCulprits(world: UpdateWorld, change: Change): Culprits {
  const moved = movedInputs(world, change);
  const sets = subsets(moved);
  const broken = failingHosts(world, change.after).filter(
    (host) => verdictOf(world, change.before, host) === "built",
  );
  const fails = (inputs: readonly string[], host: string): boolean =>
    verdictOf(world, withInputs(world, change, inputs), host) !== "built";
  const without = (inputs: readonly string[]): readonly string[] =>
    moved.filter((input) => !inputs.includes(input));

  const involved = new Set<string>();
  for (const host of broken) {
    const repairs = sets.filter((set) => !fails(without(set), host));
    const smallest = repairs.filter((set) => !repairs.some((other) => isProperSubset(other, set)));
    for (const input of smallest.flat()) involved.add(input);
  }
  const proven = sets.filter(
    (set) => broken.every((host) => fails(set, host)) && broken.every((host) => !fails(without(set), host)),
  );
  const breakAlone = (inputs: readonly string[]): boolean => broken.some((host) => fails(inputs, host));
  const buildWithout = (inputs: readonly string[]): boolean =>
    broken.every((host) => !fails(without(inputs), host));
  const smallest = proven.filter((set) => !proven.some((other) => isProperSubset(other, set)));
  const [only, another] = smallest;
  const isPlain = sets.every((set) =>
    broken.every((host) => {
      const verdict = verdictOf(world, withInputs(world, change, set), host);
      return verdict === "built" || verdict === verdictOf(world, change.after, host);
    }),
  );
  const isEvident =
    isPlain &&
    only !== undefined &&
    another === undefined &&
    (only.length === 1 || (only.length === 2 && only.every((input) => !breakAlone([input]))));
  return { hosts: broken, involved, breakAlone, buildWithout, evident: isEvident ? only : undefined };
}

const subsets = (names: readonly string[]): readonly (readonly string[])[] =>
  names.reduce<(readonly string[])[]>((sets, name) => [...sets, ...sets.map((set) => [...set, name])], [[]]);

const isProperSubset = (small: readonly string[], large: readonly string[]): boolean =>
  small.length < large.length && small.every((name) => large.includes(name));

/** Whether a state of an input is one at which a host breaks that built at the state before, in some part of the update. */
export function breaksAt(world: UpdateWorld, change: Change, input: string, state: number): boolean {
  const { hosts } = findCulprits(world, change);
  return subsets(movedInputs(world, change)).some((set) => {
    const states = withInputs(world, change, set);
    return hosts.some(
      (host) =>
        verdictOf(world, { ...states, [input]: state - 1 }, host) === "built" &&
        verdictOf(world, { ...states, [input]: state }, host) !== "built",
    );
  });
}

/** For whoever reads why a history failed. */
export const describeWorld = ({ inputs, below, breakages }: UpdateWorld): string =>
  [
    `inputs ${inputs.map((input) => (below[input] === undefined ? input : `${input} (${below[input]})`)).join(", ")}`,
    ...breakages.map(({ hosts, verdict, when }) => {
      const ranges = when.map(({ input, from, to }) => `${input} ${from}..${to}`);
      return `${ranges.join(" and ")}: ${hosts.join(", ")} ${verdict}`;
    }),
  ].join("; ");

export const describeChange = ({ before, after }: Change): string =>
  Object.keys(after)
    .map((name) => `${name} ${before[name] ?? "-"}${before[name] === after[name] ? "" : ` → ${after[name]}`}`)
    .join(", ");
