// Who builds: one line for each builder that was ever seen.
import { presence, type BuilderStatus } from "../../protocol/builder-status.ts";
import type { ListPrint } from "./pages/builds-table.ts";
import { formatAgo, formatBytes } from "./duration.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./pages/table.ts";

/** Statuses are what builders say of themselves: foreign text. */
export function renderBuilders(builders: readonly BuilderStatus[], { style, width, now }: ListPrint): string {
  if (builders.length === 0) return "no builder was ever seen\n";
  const table = renderTable(
    {
      columns: [
        { title: "Builder" },
        { title: "State" },
        { title: "Builds", align: "right" },
        { title: "Disk free", align: "right" },
        { title: "Version" },
        { title: "Nix" },
        { title: "Systems", flexible: true },
        { title: "Repos", flexible: true },
      ],
      rows: builders.map((builder) => [
        builder.name,
        stateText(builder, now, style),
        isGone(builder, now) ? "" : String(builder.builds.length),
        builder.disk === undefined ? "" : diskText(builder.disk, style),
        style.clean(builder.version),
        style.clean(builder.nixVersion),
        style.clean(builder.systems.join(" ")),
        builder.repos.join(" "),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${table.join("\n")}\n`;
}

const isGone = ({ at }: BuilderStatus, now: Date): boolean =>
  !(now.getTime() - Date.parse(at) < presence.goneAfterMs);

function stateText(builder: BuilderStatus, now: Date, style: Style): string {
  if (!isGone(builder, now)) return `${style.green(style.glyphs.success)} online`;
  return `${style.red(style.glyphs.failure)} gone, seen ${formatAgo(new Date(builder.at), now)}`;
}

function diskText({ availableBytes, totalBytes }: NonNullable<BuilderStatus["disk"]>, style: Style): string {
  const share = totalBytes > 0 ? availableBytes / totalBytes : 0;
  const text = `${formatBytes(availableBytes)} (${Math.round(share * 100)} %)`;
  return share < 0.1 ? style.yellow(text) : text;
}
