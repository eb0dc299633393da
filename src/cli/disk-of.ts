import { statfs } from "node:fs/promises";
import type { Disk } from "../cache/decide-disk.ts";

/** The file system that this directory is on. */
export async function diskOf(directory: string): Promise<Disk> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { availableBytes: bavail * bsize, totalBytes: blocks * bsize };
}
