// What a landed update changes, in plain words: for the terminal, for a chat, and for a pull request. Names in it are from
// a store; whoever shows them makes them safe.
import type { HostEffect, LandedEffect } from "../../protocol/update-events.ts";

const mostPackages = 5;
const mostHosts = 20;
const mostNamed = 5;

/** `web: linux 6.18.4 → 6.18.5 and 41 more packages; closure 4.2 GiB (+12 MiB); reboot for kernel, systemd` */
export const hostWords = (effect: HostEffect): string =>
  `${effect.host}: ${[packageWords(effect), sizeWords(effect), ...rebootWords(effect)].join("; ")}`;

export function packageWords({ packages, packageCount }: HostEffect, most = mostPackages): string {
  if (packageCount === 0) return "no package changes its version";
  const named = packages.slice(0, most).map(changeWords);
  const more = packageCount - named.length;
  const rest = `${more} more ${more === 1 ? "package" : "packages"}`;
  return more > 0 ? `${named.join(", ")} and ${rest}` : named.join(", ");
}

function changeWords({ name, from, to }: HostEffect["packages"][number]): string {
  if (from === "") return `${name} ${to} is new`;
  return to === "" ? `${name} ${from} is gone` : `${name} ${from} → ${to}`;
}

export const sizeWords = ({ closureSize, sizeDelta }: HostEffect): string =>
  `closure ${formatSize(closureSize)} (${formatDelta(sizeDelta)})`;

export const rebootWords = ({ reboot }: HostEffect): readonly string[] =>
  reboot.length === 0 ? [] : [`reboot for ${reboot.join(", ")}`];

/** Some lines, the hosts that change first. */
export function effectLines({ hosts, changed, unchanged, unknown }: LandedEffect): readonly string[] {
  const named = hosts.slice(0, mostHosts);
  return [
    ...named.map(hostWords),
    ...(changed > named.length ? [`${countOf(changed - named.length, "more host")} change`] : []),
    ...(unchanged > 0 ? [stayWords(unchanged)] : []),
    ...unknown.map((each) => `not known here: ${namesOf(each.hosts, each.count)}: ${each.reason}`),
    // Once hosts listen for orders, the command that deploys the commit to them is said here. Nothing deploys yet.
  ];
}

/** One sentence, or nothing where nothing is known. */
export function effectSentence({ hosts, changed, unchanged, unknown }: LandedEffect): string {
  const reboots = hosts.filter(({ reboot }) => reboot.length > 0).map(({ host }) => host);
  const rebooting = `${reboots.length} ${reboots.length === 1 ? "needs" : "need"} a reboot`;
  const unsure = unknown.reduce((sum, { count }) => sum + count, 0);
  const parts = [
    ...(changed > 0 ? [`${countOf(changed, "host")} ${changed === 1 ? "changes" : "change"}`] : []),
    ...(reboots.length > 0 ? [`${rebooting} (${namesOf(reboots, reboots.length)})`] : []),
    ...(unchanged > 0 ? [stayWords(unchanged)] : []),
    ...(unsure > 0 ? [`${countOf(unsure, "host")} not known here`] : []),
  ];
  return parts.length === 0 ? "" : `${parts.join(", ")}.`;
}

function namesOf(names: readonly string[], count: number): string {
  const named = names.slice(0, mostNamed);
  const more = count - named.length;
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
}

export const stayWords = (unchanged: number): string =>
  `${countOf(unchanged, "host")} ${unchanged === 1 ? "stays" : "stay"} the same`;

const countOf = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** `812 KiB`, `4.2 GiB` */
export function formatSize(bytes: number): string {
  const units = ["KiB", "MiB", "GiB", "TiB"] as const;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** `+12.3 MiB`, `−3.0 MiB`, `same size` */
export const formatDelta = (bytes: number): string =>
  bytes === 0 ? "same size" : `${bytes < 0 ? "−" : "+"}${formatSize(Math.abs(bytes))}`;
