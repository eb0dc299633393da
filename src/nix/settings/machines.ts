// The remote builders of nix.conf, and what can be built where.
import { machineName } from "../../protocol/machine-name.ts";

/** A remote builder, as a line of `builders` or of /etc/nix/machines says it. */
export interface Machine {
  /** `ssh://arm1` */
  readonly uri: string;
  /** As nix.conf has it, with its key and all other fields. */
  readonly line: string;
  readonly systems: readonly string[];
  /** How many derivations it builds at a time. */
  readonly jobs: number;
  /** All that it has, with those that it insists on. */
  readonly features: readonly string[];
  /** It takes only derivations that require all of these. */
  readonly mandatoryFeatures: readonly string[];
}

/** Everything that builds for this Nix. */
export interface BuildPlaces {
  /** The systems of this machine; none where `max-jobs` is 0. */
  readonly here: readonly string[];
  readonly machines: readonly Machine[];
}

/** What a derivation asks of the place where it is built. */
export interface Requirements {
  readonly system: string;
  readonly requiredFeatures?: readonly string[] | undefined;
}

/** @param text lines as of `builders`, with the content of the files that it names instead of `@file` */
export function parseMachines(text: string, ownSystem: string): readonly Machine[] {
  return text
    .split(/[\n;]/)
    .map((line) => line.replace(/#.*/, "").trim())
    .flatMap((line) => {
      const [uri = "", systems = "-", _key, jobs = "1", _speed, supported = "-", mandatory = "-"] =
        line.split(/\s+/);
      // Nix waits without end for a machine that builds nothing at a time.
      if (uri === "" || uri.startsWith("@") || /^0+$/.test(jobs)) return [];
      const mandatoryFeatures = listed(mandatory);
      return [
        {
          uri: uri.includes("://") ? uri : `ssh://${uri}`,
          line,
          // `-` and nothing stand for the system of this machine.
          systems: systems === "-" ? [ownSystem] : listed(systems),
          jobs: /^[1-9]\d{0,5}$/.test(jobs) ? Number(jobs) : 1,
          features: [...listed(supported), ...mandatoryFeatures],
          mandatoryFeatures,
        },
      ];
    });
}

const listed = (field: string): readonly string[] =>
  field === "-" ? [] : field.split(",").filter((entry) => entry !== "");

/** All systems that are built for somewhere. */
export const buildableSystems = ({ here, machines }: BuildPlaces): readonly string[] => [
  ...new Set([...here, ...machines.flatMap(({ systems }) => systems)]),
];

/** The machines that nix.conf has for such a derivation, whether they answer or not. */
export const machinesFor = (
  { system, requiredFeatures = [] }: Requirements,
  { machines }: BuildPlaces,
): readonly Machine[] =>
  machines.filter(
    ({ systems, features, mandatoryFeatures }) =>
      systems.includes(system) &&
      requiredFeatures.every((feature) => features.includes(feature)) &&
      mandatoryFeatures.every((feature) => requiredFeatures.includes(feature)),
  );

/**
 * The names among these whose machines others can replace: each takes only what one of the others takes, too. Without such
 * another one a derivation would have no place at all, and who was away may be back.
 */
export function replaceableMachines(
  { machines }: Pick<BuildPlaces, "machines">,
  names: readonly string[],
): readonly string[] {
  const others = machines.filter(({ uri }) => !names.includes(machineName(uri)));
  const canReplace = (machine: Machine): boolean => others.some((other) => takesAllOf(other, machine));
  return names.filter((name) => {
    const named = machines.filter(({ uri }) => machineName(uri) === name);
    return named.length > 0 && named.every(canReplace);
  });
}

const takesAllOf = (other: Machine, { systems, features, mandatoryFeatures }: Machine): boolean =>
  systems.every((system) => other.systems.includes(system)) &&
  features.every((feature) => other.features.includes(feature)) &&
  other.mandatoryFeatures.every((feature) => mandatoryFeatures.includes(feature));
