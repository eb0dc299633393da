// What a landed update changes, as far as an event has room for it. Pure.
import type { PackageChange } from "../../nix/store/closure-diff.ts";
import { effectLimits, type HostEffect, type LandedEffect } from "../../protocol/update-events.ts";
import type { SystemComparison } from "./system-comparison.ts";

/** The limit for the JSON. The stream takes events up to 256 KiB, and the rest of the event needs room too. */
const mostBytes = 128 * 1024;

/** @param clean takes secrets out of names that come from a store */
export function composeEffect(
  { diffs, unchanged, unknown }: SystemComparison,
  clean: (text: string) => string,
): LandedEffect {
  const bounded = (text: string): string => cut(clean(text), effectLimits.text);
  const hosts = [...diffs].slice(0, effectLimits.hosts).map(([host, diff]): HostEffect => ({
    host,
    reboot: [...diff.reboot],
    closureSize: diff.size,
    sizeDelta: diff.sizeDelta,
    packages: diff.notable.slice(0, effectLimits.packages).map((change: PackageChange) => ({
      name: bounded(change.name),
      from: bounded(versionsOf(change.removed)),
      to: bounded(versionsOf(change.added)),
    })),
    packageCount: diff.packages.length,
  }));
  const effect = {
    hosts,
    changed: diffs.size,
    unchanged: unchanged.length,
    unknown: unknown.slice(0, effectLimits.reasons).map(({ reason, hosts: some }) => ({
      reason: cut(reason, 200),
      hosts: some.slice(0, effectLimits.hostsOfReason),
      count: some.length,
    })),
  };
  // Names as they are have room; this is for those that are all long.
  while (hosts.length > 0 && Buffer.byteLength(JSON.stringify(effect)) > mostBytes) hosts.pop();
  return effect;
}

const versionsOf = (versions: readonly string[]): string =>
  versions.map((version) => (version === "" ? "no version" : version)).join(", ");

const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1)}…`.toWellFormed();
