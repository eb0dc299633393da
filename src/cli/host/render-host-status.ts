import { safeLine } from "../../base/terminal-text.ts";
import { formatAgo } from "../../words/duration.ts";
import type { Style } from "../print/style.ts";
import type { HostStatus } from "./read-host-status.ts";

/** A page of names and values; what is as it should be is not said. */
export function renderHostStatus(status: HostStatus, style: Style, now: Date): string {
  const { deployment, last } = status;
  const rows: (readonly [string, string])[] = [
    ["Runs", status.running ?? "nothing that is known"],
    [
      "Permanent",
      status.permanent === null
        ? "unknown"
        : `${status.permanent.path} (generation ${status.permanent.generation})`,
    ],
    ["Boots next", status.bootDefault ?? "unknown: this boot loader cannot be read"],
  ];
  if (status.previous !== null) rows.push(["Goes back to", status.previous]);
  if (status.reboot.length > 0) rows.push(["Reboot needed", status.reboot.join(", ")]);
  if (status.isHandMade) rows.push(["Drift", "what runs was not deployed"]);
  if (status.hold !== null) rows.push(["Held", status.hold]);
  if (status.migration) rows.push(["Migration", "another tool deploys this host: this one only reports"]);
  if (deployment !== null) {
    rows.push([
      "Deploying",
      `${deployment.path}: ${deployment.phase}, ordered by ${deployment.by} (${deployment.order})`,
    ]);
  }
  if (last !== null) {
    const code = last.code === undefined ? "" : ` (${last.code})`;
    const detail = last.detail === undefined ? "" : `: ${last.detail}`;
    rows.push(["Last", `${last.outcome}${code} ${formatAgo(new Date(last.at), now)}${detail}`]);
  }
  const widest = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${style.dim(name.padEnd(widest))}  ${safeLine(value, false)}`);
  return `${style.bold(`${status.repo}/${status.host}`)}\n${lines.join("\n")}\n`;
}
