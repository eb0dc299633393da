// What changed from one system to the next, in packages and versions. Names are taken apart as `nix store
// diff-closures` does it (src/nix/diff-closures.cc and `DrvName`): only so the words are those that people know.
import type { StorePath } from "../../protocol/names.ts";
import type { BootParts, Closure, ClosurePath } from "../store.ts";

/** The entries of a toplevel that a running system keeps until it boots again. */
export const bootParts = ["kernel", "initrd", "kernel-modules", "kernel-params", "systemd"] as const;

export interface PackageChange {
  readonly name: string;
  /** Versions that went; an empty string is a package without one. */
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

export interface ClosureDiff {
  /** By name. */
  readonly packages: readonly PackageChange[];
  /** Some of them, the most telling first. */
  readonly notable: readonly PackageChange[];
  /** Bytes, of everything afterwards, and how many more than before. */
  readonly size: number;
  readonly sizeDelta: number;
  /** What only changes with a reboot. */
  readonly reboot: readonly (keyof BootParts)[];
}

export function diffClosures(before: Closure, after: Closure): ClosureDiff {
  const [old, young] = [packagesOf(before.paths), packagesOf(after.paths)];
  const packages: PackageChange[] = [];
  for (const name of new Set([...old.keys(), ...young.keys()].toSorted())) {
    const [was, is] = [old.get(name) ?? none, young.get(name) ?? none];
    const removed = [...was.versions].filter((version) => !is.versions.has(version));
    const added = [...is.versions].filter((version) => !was.versions.has(version));
    if (removed.length + added.length > 0) {
      packages.push({ name, removed: removed.toSorted(), added: added.toSorted() });
    }
  }
  const size = sizeOf(after.paths);
  return {
    packages,
    notable: notableOf(packages, (name) => young.get(name)?.size ?? 0),
    size,
    sizeDelta: size - sizeOf(before.paths),
    reboot: rebootParts(before.boot, after.boot),
  };
}

const mostNotable = 12;

/** NixOS itself, the kernel and systemd, then what changed its version, and of that what is largest. */
function notableOf(
  packages: readonly PackageChange[],
  sizeOfName: (name: string) => number,
): readonly PackageChange[] {
  const rank = ({ name, removed, added }: PackageChange): number => {
    if (name.startsWith("nixos-system-")) return 0;
    if (name === "linux" || name === "systemd") return 1;
    return removed.length > 0 && added.length > 0 ? 2 : 3;
  };
  return packages
    .toSorted((a, b) => rank(a) - rank(b) || sizeOfName(b.name) - sizeOfName(a.name))
    .slice(0, mostNotable);
}

/** Which parts of the running system the new one replaces only with a reboot. */
export const rebootParts = (before: BootParts, after: BootParts): readonly (keyof BootParts)[] =>
  bootParts.filter((part) => before[part] !== after[part]);

export interface MergedChange extends PackageChange {
  readonly hosts: readonly string[];
}

/** The same change of a package on several hosts said once, the ones of most hosts first. */
export function mergeDiffs(
  diffs: ReadonlyMap<string, Pick<ClosureDiff, "packages">>,
): readonly MergedChange[] {
  const merged = new Map<string, { readonly change: PackageChange; readonly hosts: string[] }>();
  for (const [host, { packages }] of diffs) {
    for (const change of packages) {
      const identity = JSON.stringify([change.name, change.removed, change.added]);
      const known = merged.get(identity);
      if (known === undefined) merged.set(identity, { change, hosts: [host] });
      else known.hosts.push(host);
    }
  }
  return [...merged.values()]
    .map(({ change, hosts }) => ({ ...change, hosts }))
    .toSorted((a, b) => b.hosts.length - a.hosts.length || (a.name < b.name ? -1 : 1));
}

interface Package {
  readonly versions: ReadonlySet<string>;
  readonly size: number;
}
const none: Package = { versions: new Set(), size: 0 };

function packagesOf(paths: readonly ClosurePath[]): ReadonlyMap<string, Package> {
  const packages = new Map<string, { versions: Set<string>; size: number }>();
  for (const { path, size } of paths) {
    const { name, version } = splitName(path);
    const known = packages.get(name) ?? { versions: new Set(), size: 0 };
    known.versions.add(version);
    known.size += size;
    packages.set(name, known);
  }
  return packages;
}

/** `openssl` and `3.0.14` of `/nix/store/…-openssl-3.0.14-bin`: without its output, cut before the first `-` that no letter follows. */
export function splitName(path: StorePath): { readonly name: string; readonly version: string } {
  const whole = path.slice(path.lastIndexOf("/") + 1).slice("0123456789abcdfghijklmnpqrsvwxyz-".length);
  const name = /^(?<name>.*)-(?:[a-z]+|lib32|lib64)$/s.exec(whole)?.groups?.["name"] ?? whole;
  const at = name.search(/-[^A-Za-z]/);
  return at < 0 ? { name, version: "" } : { name: name.slice(0, at), version: name.slice(at + 1) };
}

const sizeOf = (paths: readonly ClosurePath[]): number => paths.reduce((sum, { size }) => sum + size, 0);
