// `homelab-deploy hosts diff`: what a deploy would change.
import { formatBytes } from "../../../words/duration.ts";
import type { SystemDiff } from "../../deploy/system-diff.ts";
import type { Style } from "../style.ts";

export function renderDiff(
  { packages, units, reboot, size, sizeDelta }: SystemDiff,
  style: Style,
  names: { readonly from: string; readonly to: string },
): string {
  const lines = [`${style.bold(style.clean(names.from))} -> ${style.bold(style.clean(names.to))}`];
  for (const { name, removed, added } of packages) {
    const versions = (of: readonly string[]): string =>
      of.map((version) => version || "(no version)").join(", ");
    const what =
      removed.length === 0
        ? `new, ${versions(added)}`
        : added.length === 0
          ? `gone, ${versions(removed)}`
          : `${versions(removed)} -> ${versions(added)}`;
    lines.push(`  ${style.clean(`${name}: ${what}`)}`);
  }
  if (packages.length === 0) lines.push("  no package changes its version");
  for (const [word, list] of Object.entries(units)) {
    if (list.length > 0) lines.push(`Units ${word}: ${list.map(style.clean).join(", ")}`);
  }
  lines.push(
    reboot.length === 0 ? "No reboot is needed" : style.yellow(`A reboot is needed for ${reboot.join(", ")}`),
    `Closure: ${formatBytes(size)}, ${sizeDelta < 0 ? "-" : "+"}${formatBytes(Math.abs(sizeDelta))}`,
  );
  return `${lines.join("\n")}\n`;
}
