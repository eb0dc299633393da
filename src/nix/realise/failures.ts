import { isBug, messageOf } from "../../base/errors.ts";
import { workThrough } from "../../base/work-through.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import type { StorePath } from "../../protocol/names.ts";
import { decideFailure } from "./decide-failure.ts";
import { type FailureMessage, readFailureMessage } from "./failure-message.ts";
import type { FailureCause, RealiseResult, Realiser } from "../realiser.ts";
import type { Derivation, Store } from "../store.ts";

export interface FailureSources
  extends Pick<Store, "readDerivation" | "validPaths">, Pick<Realiser, "systems"> {
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
    const { about, inGeneral } = sortMessages(result);
    const storeFull = rootsOf.size > 0 && (await sources.isStoreFull());

    const causes = new Map<StorePath, FailureCause>();
    for (const drvPath of new Set([...rootsOf.values()].flat())) {
      const unreadable = graph.unreadable.get(drvPath);
      const name = derivationName(drvPath);
      const cause: FailureCause =
        unreadable === undefined
          ? decideFailure({
              name,
              started: result.started.get(drvPath),
              said: about.get(drvPath) ?? [],
              saidInGeneral: inGeneral,
              process: result,
              limits: options,
              unsupportedSystem: unsupported(graph.derivations.get(drvPath)?.system, sources.systems),
              storeFull,
            })
          : { kind: "infra", name, reason: unreadable };
      causes.set(drvPath, cause);
    }
    return { causes, brokenBy: rootsOf };
  };
}

interface InvalidGraph {
  /** The tops without valid output. */
  readonly tops: readonly StorePath[];
  /** Of each derivation without valid output, its inputs without valid output; none for one that failed by itself. */
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
    // Of a content-addressed derivation nobody can say: where its user was not started, it may be why.
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

/** Nix itself is the builder of the system `builtin`. Nix 2.8 ends at the first derivation of another system. */
const unsupported = (system: string | undefined, systems: readonly string[]): string | undefined =>
  system === undefined || system === "builtin" || systems.includes(system) ? undefined : system;

function sortMessages({ messages }: RealiseResult): {
  readonly about: ReadonlyMap<string, readonly FailureMessage[]>;
  readonly inGeneral: readonly FailureMessage[];
} {
  const said = messages
    .filter(({ level, authentic }) => level === 0 && authentic)
    .map(({ text }) => readFailureMessage(text))
    .filter((message) => message !== undefined);
  return {
    about: Map.groupBy(
      said.filter(({ drvPath }) => drvPath !== undefined),
      ({ drvPath }) => drvPath ?? "",
    ),
    inGeneral: said.filter(({ drvPath }) => drvPath === undefined),
  };
}
