// Below a plan: what changes on its hosts, and where that was not read.
import type { PlanChanges } from "../../deploy/read-plan-changes.ts";
import { formatBytes } from "../../../words/duration.ts";
import { count, listed } from "../../../words/rollout-words.ts";
import type { Style } from "../style.ts";

const mostPackages = 5;

/** Text that ends in a newline, or empty. */
export function renderPlanChanges({ read, unread }: PlanChanges, style: Style): string {
  const changes = read.map(({ host, packages, bytesToFetch, reboot }) => {
    const named = packages
      .slice(0, mostPackages)
      .map(
        ({ name, removed, added }) =>
          `${name} ${[removed, added].map((versions) => versions.join(", ") || "-").join(" -> ")}`,
      );
    const more = packages.length > mostPackages ? `, ${style.glyphs.ellipsis}` : "";
    const which =
      packages.length === 0
        ? "no package"
        : `${count(packages.length, "package")} (${named.join(", ")}${more})`;
    const boots = reboot.length === 0 ? "" : `; needs a reboot for ${reboot.join(", ")}`;
    return `  ${host}: ${which}; up to ${formatBytes(bytesToFetch)} to fetch${boots}`;
  });
  const missing = [...Map.groupBy(unread, ({ why }) => why)].map(
    ([why, hosts]) => `  not read: ${listed(hosts.map(({ host }) => host))} (${why})`,
  );
  const lines = [...changes, ...missing];
  return lines.length === 0
    ? ""
    : `\nWhat changes:\n${lines.map((line) => `${style.clean(line)}\n`).join("")}`;
}
