// `homelab-deploy cache report`: how big what is kept is, how it grows, and whether the disk is enough.
import { decideDisk } from "../../../cache/decide-disk.ts";
import { measureRoots, type Closures } from "../../../cache/measure-roots.ts";
import { readClosures } from "../../../cache/read-closures.ts";
import type { RootedCommit } from "../../../nix/nix.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { diskOf } from "../../../base/disk.ts";
import { openStoreRoots, sayReading } from "../../session/open-store-roots.ts";
import { renderStoreReport, storeReportJson, type StoreReport } from "../../print/pages/store-report.ts";

export interface ReportOptions {
  readonly absolute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** 1 when the disk is too small for what is to be kept. */
export async function runCacheReport(context: Context, options: ReportOptions): Promise<number> {
  const signal = untilInterrupted(context.signals);
  const { nix, commits, retention } = await openStoreRoots(context, signal);
  const closures = await readClosures(nix, commits, sayReading(context), signal);
  const disk = await diskOf(nix.storeDirectory);
  const size = measureRoots(commits, closures);
  const { keepNewest } = retention;
  const answer = decideDisk(size, keepNewest, disk);
  const report: StoreReport = { size, disk, answer, keepNewest, unbuilt: unbuiltOf(commits, closures) };
  const { out, outStyle: style, clock } = context;
  if (options.json === true) out.write(`${JSON.stringify(storeReportJson(report), undefined, 2)}\n`);
  else {
    const print = { style, width: out.columns, now: clock.now(), absolute: options.absolute };
    out.write(renderStoreReport(report, print));
  }
  return answer.verdict === "too-small" ? exitCodes.failed : exitCodes.success;
}

/** Systems that are rooted and were never built: their sizes are not in the numbers. */
function unbuiltOf(commits: readonly RootedCommit[], { bySystem }: Closures): number {
  const systems = new Set(commits.flatMap(({ hosts }) => [...hosts.values()]));
  return [...systems].filter((system) => !bySystem.has(system)).length;
}
