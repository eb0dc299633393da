// Room where a builder writes: the store, its state, and temporary files.
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { fileSystemOf, type FileSystem } from "../../base/files/disk.ts";
import { hasCode, messageOf } from "../../base/errors.ts";
import { formatBytes } from "../../words/duration.ts";
import { ok, unknown, warning, wrong, type Finding } from "./finding.ts";

/** Below the first builds fail soon; below the second it is time to think of it. */
const critical = 0.05;
const low = 0.15;

export async function checkDisk(check: string, directory: string): Promise<Finding> {
  try {
    return judgeDisk(check, directory, await fileSystemOf(directory));
  } catch (error) {
    return unknown(check, `${directory}: ${messageOf(error)}`, "see whether it exists and is mounted");
  }
}

export function judgeDisk(check: string, directory: string, { disk, inodes }: FileSystem): Finding {
  const share = disk.availableBytes / Math.max(1, disk.totalBytes);
  const message = `${formatBytes(disk.availableBytes)} of ${formatBytes(disk.totalBytes)} are free for ${directory}`;
  const advice = "collect garbage, keep fewer commits (builder.keepCommits), or make the disk larger";
  if (inodes !== undefined && inodes.available / inodes.total < critical) {
    const left = `${inodes.available} of ${inodes.total} inodes are free for ${directory}`;
    return wrong(check, left, "collect garbage; XFS makes inodes as it needs them");
  }
  if (share < critical) return wrong(check, message, advice);
  if (share < low) return warning(check, message, advice);
  return ok(check, message);
}

/** Whether this user may write where the builder keeps its state; it makes a directory that is missing. */
export async function checkStateDirectory(directory: string): Promise<Finding> {
  const check = "state directory";
  for (let path = directory; ; path = dirname(path)) {
    try {
      await access(path, constants.W_OK);
      return ok(check, path === directory ? directory : `${directory} can be made`);
    } catch (error) {
      const isMissing = hasCode(error, "ENOENT");
      if (isMissing && path !== "/") continue;
      return wrong(
        check,
        `this user cannot write to ${path}`,
        `run doctor as the builder's user, or: chown it to that user`,
      );
    }
  }
}
