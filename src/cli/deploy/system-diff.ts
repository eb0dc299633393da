// What a deploy would change on a host: packages by name and version, units, and what needs a reboot.
import { diffClosures, type ClosureDiff } from "../../nix/store/closure-diff.ts";
import type { BootParts, Closure } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";

export interface UnitChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

export interface SystemDiff extends Pick<ClosureDiff, "packages" | "size" | "sizeDelta" | "reboot"> {
  readonly units: UnitChanges;
}

export function diffSystems(before: Closure, after: Closure): SystemDiff {
  const { packages, size, sizeDelta, reboot } = diffClosures(withBoot(before), withBoot(after));
  return {
    packages: packages.filter(({ name }) => !name.startsWith("nixos-system-") && !name.startsWith("unit-")),
    size,
    sizeDelta,
    reboot,
    units: unitChanges(unitsOf(before), unitsOf(after)),
  };
}

const nameOf = (path: StorePath): string => path.replace(/^.*\/[0-9a-z]{32}-/, "");

/** NixOS makes a path of each unit: `unit-nginx.service` (nixpkgs, nixos/lib/systemd-lib.nix, `makeUnit`). */
const unitsOf = ({ paths }: Closure): ReadonlyMap<string, StorePath> =>
  new Map(
    paths.flatMap(({ path }) => {
      const unit = /^unit-(?<unit>.+\.[a-z]+)$/.exec(nameOf(path))?.groups?.["unit"];
      return unit === undefined ? [] : [[unit, path] as const];
    }),
  );

function unitChanges(
  before: ReadonlyMap<string, StorePath>,
  after: ReadonlyMap<string, StorePath>,
): UnitChanges {
  const names = (of: ReadonlyMap<string, StorePath>): string[] => [...of.keys()].toSorted();
  return {
    added: names(after).filter((unit) => !before.has(unit)),
    removed: names(before).filter((unit) => !after.has(unit)),
    changed: names(after).filter((unit) => before.has(unit) && before.get(unit) !== after.get(unit)),
  };
}

/** Names that nixpkgs gives the parts of a system that only a boot takes over. */
const bootNames: Readonly<Record<Exclude<keyof BootParts, "kernel-params">, RegExp>> = {
  kernel: /^linux-\d[^-]*(?:-rc\d+)?$/,
  initrd: /^initrd-/,
  "kernel-modules": /^linux-.*-modules/,
  systemd: /^systemd-\d[\d.]*$/,
};

/** A closure that came from narinfos has no links: its parts are told by their names. */
function withBoot(closure: Closure): Closure {
  if (Object.keys(closure.boot).length > 0) return closure;
  const boot: Record<string, string> = {};
  for (const [part, pattern] of Object.entries(bootNames)) {
    const found = closure.paths.filter(({ path }) => pattern.test(nameOf(path))).map(({ path }) => path);
    if (found.length > 0) boot[part] = found.toSorted().join(" ");
  }
  return { ...closure, boot };
}
