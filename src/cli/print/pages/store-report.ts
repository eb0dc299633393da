// `homelab-deploy cache report`
import type { Disk } from "../../../base/files/disk.ts";
import type { DiskAnswer } from "../../../cache/decide-disk.ts";
import type { RootsSize } from "../../../cache/measure-roots.ts";
import { whenText, type ListPrint } from "./builds-table.ts";
import { formatBytes } from "../../../words/duration.ts";
import { renderTable } from "./table.ts";

export interface StoreReport {
  readonly size: RootsSize;
  readonly disk: Disk;
  readonly answer: DiskAnswer;
  readonly keepNewest: number;
  readonly unbuilt: number;
}

/** Text that ends in a newline. */
export function renderStoreReport(report: StoreReport, print: ListPrint): string {
  const { style, width } = print;
  const { size, unbuilt } = report;
  const hosts = renderTable(
    {
      columns: [
        { title: "Host" },
        { title: "Closure", align: "right" },
        { title: "Only its own", align: "right" },
      ],
      rows: size.hosts.map(({ name, bytes, uniqueBytes }) => [
        name,
        formatBytes(bytes),
        formatBytes(uniqueBytes),
      ]),
    },
    { style, width, indent: "" },
  );
  const commits = renderTable(
    {
      columns: [
        { title: "Repo" },
        { title: "Commit" },
        { title: "Used" },
        { title: "Hosts", align: "right" },
        { title: "Adds", align: "right" },
      ],
      rows: size.commits.map(({ rooted, newBytes }) => [
        rooted.repo,
        rooted.commit.slice(0, 7),
        whenText(rooted.usedAt, print),
        `${rooted.hosts.size}`,
        formatBytes(newBytes),
      ]),
    },
    { style, width, indent: "" },
  );
  const notes = [
    ...(unbuilt === 0
      ? []
      : [
          `rooted and not built, so not in these numbers: ${unbuilt} ${unbuilt === 1 ? "system" : "systems"}`,
        ]),
    "sizes are of archives (NAR); on disk it can be less",
  ];
  return `${[...hosts, "", ...commits, "", ...sums(report, print), "", ...notes.map(style.dim)].join("\n")}\n`;
}

function sums({ size, disk, answer, keepNewest }: StoreReport, { style }: ListPrint): readonly string[] {
  const { unionBytes, newestBytes, usualGrowthBytes } = size;
  const growth =
    usualGrowthBytes === undefined
      ? "one commit is not enough to measure growth: try again after the next update"
      : `a commit usually adds ${formatBytes(usualGrowthBytes)}`;
  const lines = [
    `everything that is rooted: ${formatBytes(unionBytes)}; the newest system of every host: ${formatBytes(newestBytes)}`,
    `${growth}${answer.daysUntilFull === undefined ? "" : `; with nothing dropped the disk is full in ${answer.daysUntilFull} days`}`,
    `disk: ${formatBytes(disk.availableBytes)} of ${formatBytes(disk.totalBytes)} free`,
  ];
  if (answer.expectedBytes === undefined || answer.neededBytes === undefined) return lines;
  const wanted = `${keepNewest} commits of every host come to ${formatBytes(answer.expectedBytes)}, which needs a disk of ${formatBytes(answer.neededBytes)}`;
  const verdict =
    answer.verdict === "enough"
      ? style.green(`${style.glyphs.success} the disk is enough: ${wanted}`)
      : style.red(`${style.glyphs.failure} the disk is too small: ${wanted}`);
  return [...lines, verdict];
}

export const storeReportJson = ({
  size,
  disk,
  answer,
  keepNewest,
  unbuilt,
}: StoreReport): Readonly<Record<string, unknown>> => ({
  ...answer,
  keepCommits: keepNewest,
  disk,
  unionBytes: size.unionBytes,
  newestBytes: size.newestBytes,
  usualGrowthBytes: size.usualGrowthBytes ?? null,
  growthBytesPerDay: size.growthBytesPerDay ?? null,
  unbuiltSystems: unbuilt,
  hosts: size.hosts,
  commits: size.commits.map(({ rooted, newBytes }) => ({
    repo: rooted.repo,
    commit: rooted.commit,
    usedAt: rooted.usedAt.toISOString(),
    hosts: rooted.hosts.size,
    newBytes,
  })),
});
