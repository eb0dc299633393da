// Room where a builder writes: the store, its state, and temporary files.
import { stat } from "node:fs/promises";
import { fileSystemOf, type FileSystem } from "../../base/files/disk.ts";
import { hasCode, messageOf } from "../../base/errors.ts";
import { probeDirectory, probeRoom } from "../../base/files/make-directory.ts";
import { stateDirectoryError } from "../../wiring/state-directory.ts";
import { formatBytes } from "../../words/duration.ts";
import { findingOf, ok, unknown, warning, wrong, type Finding } from "./finding.ts";

/** Below the first builds fail soon; below the second it is time to think of it. */
const critical = 0.05;
const low = 0.15;

/** @param floorBytes no build begins while less is free: `builder.build.minFreeGiB` */
export async function checkDisk(check: string, directory: string, floorBytes = 0): Promise<Finding> {
  try {
    return judgeDisk(check, directory, await fileSystemOf(directory), floorBytes);
  } catch (error) {
    return unknown(check, `${directory}: ${messageOf(error)}`, "see whether it exists and is mounted");
  }
}

export function judgeDisk(
  check: string,
  directory: string,
  { disk, inodes }: FileSystem,
  floorBytes = 0,
): Finding {
  const { availableBytes, totalBytes } = disk;
  const share = availableBytes / Math.max(1, totalBytes);
  const message = `${formatBytes(availableBytes)} of ${formatBytes(totalBytes)} are free for ${directory}`;
  const advice = "collect garbage, keep fewer commits (builder.keepCommits), or make the disk larger";
  if (availableBytes < floorBytes) {
    const floor = `${message}, and no build begins below ${formatBytes(floorBytes)} (builder.build.minFreeGiB)`;
    return wrong(
      check,
      floor,
      floorBytes >= totalBytes ? "set builder.build.minFreeGiB to less than the disk has" : advice,
    );
  }
  if (inodes !== undefined && inodes.available / inodes.total < critical) {
    const left = `${inodes.available} of ${inodes.total} inodes are free for ${directory}`;
    return wrong(check, left, "collect garbage; XFS makes inodes as it needs them");
  }
  if (share < critical) return wrong(check, message, advice);
  if (share < low) return warning(check, message, advice);
  return ok(check, message);
}

/** The builder keeps what it remembers of evaluations there, and repos. */
const stateBytes = 1024 * 1024;

/** Whether this user, and nobody else, can write where the builder keeps its state, or make that directory. */
export async function checkStateDirectory(directory: string, setting: string): Promise<Finding> {
  const check = "state directory";
  try {
    if ((await probeDirectory(directory)) === "missing") return ok(check, `${directory} can be made`);
    if (((await stat(directory)).mode & 0o022) !== 0) {
      return wrong(
        check,
        `other users can write to ${directory}, and so decide what is built`,
        `chmod 700 ${directory}`,
      );
    }
    await probeRoom(directory, stateBytes);
    return ok(check, directory);
  } catch (error) {
    if (hasCode(error, "ENOSPC") || hasCode(error, "EDQUOT")) {
      return wrong(
        check,
        `there is no space left in ${directory}: ${messageOf(error)}`,
        "free space on its disk",
      );
    }
    const finding = findingOf(check, stateDirectoryError(directory, setting, error));
    return { ...finding, message: stateDirectoryError(directory, setting, error).message };
  }
}
