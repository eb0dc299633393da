import { isBug, messageOf } from "../../base/errors.ts";
import { workThrough } from "../../base/work-through.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import type { StorePath } from "../../protocol/names.ts";
import { decideFailure, type FailureFacts, isUnclear } from "./decide-failure.ts";
import { explainDownload } from "./download-failure.ts";
import { type FailureMessage, readFailureMessage } from "./failure-message.ts";
import { noReports } from "./machine-claims.ts";
import type { FailureCause, RealiseResult, Realiser } from "../realiser.ts";
import { buildableSystems, machinesFor, type BuildPlaces } from "../settings/machines.ts";
import type { Derivation, Store } from "../store.ts";

export interface FailureSources extends Pick<Store, "readDerivation" | "validPaths" | "present" | "readLog"> {
  readonly places: BuildPlaces;
  /** Whether nothing can be written to the store any more. */
  readonly isStoreFull: () => Promise<boolean>;
}

/**
 * Walks the graphs of derivations without valid output down their inputs without valid output, to those that failed
 * by themselves: all their inputs are valid, or Nix began to build them, which it does only with all inputs at hand
 * (they may have been collected since). Level by level, with one question to the store for each.
 */
export function createFindFailures(sources: FailureSources): Realiser["findFailures"] {
  return async (tops, result, options, signal) => {
    const graph = await findInvalid([...new Set(tops)], result, sources, signal);
    const rootsOf = new Map(graph.tops.map((top) => [top, rootsBelow(top, graph.inputs)]));
    const roots = [...new Set([...rootsOf.values()].flat())];
    const storeFull = roots.length > 0 && (await sources.isStoreFull());
    const said = await sortMessages(result, sources);
    const suspects = findSuspects(roots, result, said);
    const isEverybodys = findCommonErrors(result);

    const causes = new Map<StorePath, FailureCause>();
    for (const drvPath of roots) {
      const unreadable = graph.unreadable.get(drvPath);
      const name = derivationName(drvPath);
      const derivation = graph.derivations.get(drvPath);
      if (unreadable !== undefined || derivation === undefined) {
        causes.set(drvPath, { kind: "infra", name, reason: unreadable ?? "its derivation is not known" });
        continue;
      }
      // Built again alone, it is what that process says.
      const apart = result.apart?.get(drvPath);
      const ofProcess = apart ?? result;
      const { about, inGeneral } = apart === undefined ? said : await sortMessages(apart, sources);
      const isBlameless = apart !== undefined && !about.has(drvPath) && inGeneral.some(isEverybodys);
      const machines = ofProcess.machines ?? noReports;
      const cause = decideFailure({
        name,
        started: ofProcess.started.get(drvPath),
        said: about.get(drvPath) ?? [],
        saidInGeneral: inGeneral,
        saidOfOthers: !isBlameless && (about.size > 0 || result.apart !== undefined),
        process: ofProcess,
        limits: options,
        ...placesFor(derivation, sources.places),
        claims: machines.claims.get(drvPath) ?? {},
        reports: machines,
        storeFull,
        role: isBlameless
          ? "other"
          : apart !== undefined
            ? "alone"
            : suspects.has(drvPath)
              ? "suspect"
              : "other",
      });
      const explained = await explainDownload(cause, drvPath, derivation, sources, signal);
      const machine = ofProcess.started.get(drvPath)?.machine;
      causes.set(drvPath, machine === undefined ? explained : { ...explained, machine });
    }
    for (const drvPath of tops.filter((top) => !rootsOf.has(top))) {
      const gone = await goneOutput(drvPath, sources);
      if (gone === undefined) continue;
      rootsOf.set(drvPath, [drvPath]);
      causes.set(drvPath, { kind: "infra", name: derivationName(drvPath), reason: saysGone(gone) });
    }
    return { causes, brokenBy: rootsOf };
  };
}

/** An output that Nix calls valid although it is not there: Nix builds nothing of it, and whoever needs it fails. */
async function goneOutput(
  drvPath: StorePath,
  { readDerivation, present }: FailureSources,
): Promise<StorePath | undefined> {
  for (const path of (await readDerivation(drvPath)).outputs.values())
    if (!(await present(path))) return path;
  return undefined;
}

const saysGone = (path: StorePath): string =>
  `Nix calls its output ${path} valid, but it is gone from the disk: \`nix-store --verify\` lets Nix build it again`;

/** Nix itself is the builder of the system `builtin`. Nix 2.8 ends at the first derivation of another system. */
function placesFor(
  { system, requiredFeatures }: Derivation,
  places: BuildPlaces,
): Pick<FailureFacts, "requirements" | "machines" | "ownSystem" | "isForeign"> {
  const ownSystem = system === "builtin" || places.here.includes(system);
  const requirements = { system, requiredFeatures };
  return {
    requirements,
    machines: machinesFor(requirements, places).map(({ uri }) => uri),
    ownSystem,
    isForeign: !ownSystem && !buildableSystems(places).includes(system),
  };
}

/**
 * Whom an error that names no derivation can be about: those that were being built. Where there are more such errors
 * than these, Nix refused others before they began.
 */
function findSuspects(
  roots: readonly StorePath[],
  result: RealiseResult,
  { about, inGeneral }: SortedMessages,
): ReadonlySet<StorePath> {
  const unclear = inGeneral.filter(isUnclear).length;
  if (result.apart !== undefined || unclear === 0) return new Set();
  const unexplained = roots.filter((drvPath) => !about.has(drvPath));
  const started = unexplained.filter((drvPath) => result.started.has(drvPath));
  const refused = unexplained.filter((drvPath) => !result.started.has(drvPath)).slice(0, mostRefused);
  return new Set(unclear > started.length ? [...started, ...refused] : started);
}

const mostRefused = 8;

/**
 * An error in no list, which every derivation built apart ends with in the same words, is not about any of them: the
 * machine has a fault that we do not know.
 */
function findCommonErrors({ apart }: RealiseResult): (message: FailureMessage) => boolean {
  const ends = [...(apart?.values() ?? [])].map((result) =>
    ownErrors(result)
      .filter(({ drvPath, end }) => drvPath === undefined && end.type === "unknown")
      .map(({ reason }) => reason),
  );
  return ({ end, reason }) =>
    end.type === "unknown" && ends.length > 1 && ends.every((reasons) => reasons.includes(reason));
}

interface InvalidGraph {
  /** The tops without valid output. */
  readonly tops: readonly StorePath[];
  /** For each derivation without valid output, its inputs without valid output; empty if it failed by itself. */
  readonly inputs: ReadonlyMap<StorePath, readonly StorePath[]>;
  readonly derivations: ReadonlyMap<StorePath, Derivation>;
  readonly unreadable: ReadonlyMap<StorePath, string>;
}

/** An output that somebody needs. Its path is unknown for a content-addressed derivation before it is built. */
type Need = readonly [drvPath: StorePath, outputs: readonly string[] | undefined];

async function findInvalid(
  tops: readonly StorePath[],
  result: RealiseResult,
  { readDerivation, validPaths }: FailureSources,
  signal: AbortSignal,
): Promise<InvalidGraph> {
  const derivations = new Map<StorePath, Derivation>();
  const unreadable = new Map<StorePath, string>();
  const valid = new Map<StorePath, boolean>();

  async function read(drvPaths: Iterable<StorePath>): Promise<void> {
    const unread = [...new Set(drvPaths)].filter((path) => !derivations.has(path) && !unreadable.has(path));
    await workThrough(unread, readAtOnce, async (drvPath) => {
      signal.throwIfAborted();
      try {
        derivations.set(drvPath, await readDerivation(drvPath));
      } catch (error) {
        if (isBug(error)) throw error;
        unreadable.set(drvPath, `its derivation cannot be read: ${messageOf(error)}`);
      }
    });
  }

  /** The needs that are not met, after one question to the store about all paths that are new. */
  async function unmet(needs: readonly Need[]): Promise<(need: Need) => boolean> {
    await read(needs.map(([drvPath]) => drvPath));
    const paths = (need: Need): StorePath[] => outputPaths(derivations.get(need[0]), need[1]);
    const unknown = [...new Set(needs.flatMap(paths))].filter((path) => !valid.has(path));
    const found = await validPaths(unknown, signal);
    for (const path of unknown) valid.set(path, found.has(path));
    // For a content-addressed derivation it is unknown: if its user was not started, this may be why.
    const isUnknown = (drvPath: StorePath): boolean => derivations.get(drvPath)?.outputs.size === 0;
    return (need) =>
      unreadable.has(need[0]) || isUnknown(need[0]) || paths(need).some((path) => valid.get(path) !== true);
  }

  const inputsOf = (drvPath: StorePath): Need[] =>
    result.started.has(drvPath) ? [] : [...(derivations.get(drvPath)?.inputDrvs ?? [])];

  const isTopUnmet = await unmet(tops.map((top) => [top, undefined]));
  const broken = tops.filter(
    (top) => isTopUnmet([top, undefined]) || derivations.get(top)?.outputs.size === 0,
  );
  const inputs = new Map<StorePath, readonly StorePath[]>();
  let level = broken;
  while (level.length > 0) {
    const isUnmet = await unmet(level.flatMap(inputsOf));
    for (const drvPath of level) {
      inputs.set(
        drvPath,
        inputsOf(drvPath)
          .filter(isUnmet)
          .map(([input]) => input),
      );
    }
    const next = new Set(level.flatMap((drvPath) => inputs.get(drvPath) ?? []));
    level = [...next].filter((drvPath) => !inputs.has(drvPath));
  }
  return { tops: broken, inputs, derivations, unreadable };
}

const readAtOnce = 64;

function outputPaths(derivation: Derivation | undefined, names: readonly string[] | undefined): StorePath[] {
  if (derivation === undefined) return [];
  if (names === undefined) return [...derivation.outputs.values()];
  return names.flatMap((name) => derivation.outputs.get(name) ?? []);
}

/** The derivations below this one, or itself, that no other one broke. */
function rootsBelow(
  top: StorePath,
  inputs: ReadonlyMap<StorePath, readonly StorePath[]>,
): readonly StorePath[] {
  const seen = new Set([top]);
  // A set gives what is added during the iteration as well.
  for (const drvPath of seen) for (const input of inputs.get(drvPath) ?? []) seen.add(input);
  return [...seen].filter((drvPath) => (inputs.get(drvPath) ?? []).length === 0);
}

interface SortedMessages {
  readonly about: ReadonlyMap<string, readonly FailureMessage[]>;
  readonly inGeneral: readonly FailureMessage[];
}

/**
 * By the derivation that they name, or whose output they name. All that was started counts: hosts that have their verdict
 * by now are not asked about any more, and what Nix said about them is about nobody else.
 */
async function sortMessages(
  result: RealiseResult,
  { readDerivation }: FailureSources,
): Promise<SortedMessages> {
  const errors = ownErrors(result);
  const builtFrom = new Map<string, StorePath>();
  if (errors.some(({ drvPath, paths }) => drvPath === undefined && paths.length > 0)) {
    await workThrough([...result.started.keys()], readAtOnce, async (drvPath) => {
      for (const path of await outputsOf(drvPath, readDerivation)) builtFrom.set(path, drvPath);
    });
  }
  const subjectOf = ({ drvPath, paths }: FailureMessage): string | undefined =>
    drvPath ?? paths.map((path) => builtFrom.get(storePathOf(path))).find((found) => found !== undefined);
  const said = errors.map((message) => ({ ...message, drvPath: subjectOf(message) }));
  return {
    about: Map.groupBy(
      said.filter(({ drvPath }) => drvPath !== undefined),
      ({ drvPath }) => drvPath ?? "",
    ),
    inGeneral: said.filter(({ drvPath }) => drvPath === undefined),
  };
}

/** None of a derivation that cannot be read; if its host wants to know, it is told why. */
async function outputsOf(
  drvPath: StorePath,
  readDerivation: Store["readDerivation"],
): Promise<readonly StorePath[]> {
  try {
    return [...(await readDerivation(drvPath)).outputs.values()];
  } catch (error) {
    if (isBug(error)) throw error;
    return [];
  }
}

/** For builds on other machines, `RealiseResult.machines` has the messages, and the last one counts. */
const ownErrors = ({ messages }: RealiseResult): readonly FailureMessage[] =>
  messages
    .filter(({ level, authentic }) => level === 0 && authentic)
    .map(({ text }) => readFailureMessage(text))
    .filter((message) => message !== undefined)
    .filter(({ machine }) => machine === undefined);

/** `/nix/store/…-fifo` of `/nix/store/…-fifo/x`. */
const storePathOf = (path: string): string => /^.*\/[0-9a-z]{32}-[^/]+/.exec(path)?.[0] ?? path;
