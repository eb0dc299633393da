// Names of inputs and hosts in the settings of updates, against what the flakes have.
import type { Config } from "../../config/schema.ts";
import { rootInputs, type FlakeLock } from "../../nix/lock/flake-lock.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import { ok, wrong, type Finding } from "./finding.ts";

/** What the readable repos contain. */
export interface KnownNames {
  readonly locks: ReadonlyMap<string, FlakeLock>;
  /** The hosts of each. */
  readonly inventories: ReadonlyMap<string, readonly string[]>;
}

export function judgeUpdateInputs(
  repos: Config["repos"],
  { locks, inventories }: KnownNames,
): readonly Finding[] {
  return Object.entries(repos).flatMap(([repo, { update }]) => {
    const check = `update inputs of ${repo}`;
    const own = namesIn(locks.get(repo));
    const unknownOf = (names: readonly string[], known: readonly string[] | undefined): readonly string[] =>
      known === undefined ? [] : names.filter((name) => !known.includes(name));
    const named = update.inputs ?? [];
    const findings = unknownOf(named, own).map((name) =>
      wrong(
        check,
        `update.inputs names ${name}, which its flake.lock has not`,
        adviceFor(name, own ?? [], `correct repos.${repo}.update.inputs`),
      ),
    );
    const downstream = update.downstream.flatMap(({ repo: other, input }) => {
      const known = namesIn(locks.get(other));
      return unknownOf([input], known).map((name) =>
        wrong(
          check,
          `update.downstream names ${name} as an input of ${other}, but its flake.lock has no such input`,
          adviceFor(name, known ?? [], `correct repos.${repo}.update.downstream`),
        ),
      );
    });
    const hosts = update.downstream.flatMap(({ repo: other, hosts: wanted = [] }) => {
      const known = inventories.get(other);
      return unknownOf(wanted, known).map((name) =>
        wrong(
          check,
          `update.downstream names the host ${name}, which ${other} has not`,
          adviceFor(name, known ?? [], `correct repos.${repo}.update.downstream`),
        ),
      );
    });
    const all = [...findings, ...downstream, ...hosts];
    return all.length === 0 && named.length > 0 && own !== undefined
      ? [ok(check, `its flake.lock has all of ${named.join(", ")}`)]
      : all;
  });
}

const namesIn = (lock: FlakeLock | undefined): readonly string[] | undefined =>
  lock === undefined ? undefined : Object.keys(rootInputs(lock));

function adviceFor(name: string, known: readonly string[], advice: string): string {
  const near = didYouMean(name, known);
  return near === undefined ? `${advice}: it has ${known.join(", ")}` : `did you mean ${near}? ${advice}`;
}
