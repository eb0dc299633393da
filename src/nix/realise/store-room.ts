import { fileSystemOf } from "../../base/files/disk.ts";

/** Nix itself takes a disk with less than this for full, when it looks for the reason of a failure. */
const minFreeBytes = 8 * 1024 * 1024;
const minFreeFiles = 64;

/** Whether nothing can be written to the directory's file system any more: no bytes, or no inodes. */
export async function isFull(directory: string): Promise<boolean> {
  const { disk, inodes } = await fileSystemOf(directory);
  return disk.availableBytes < minFreeBytes || (inodes !== undefined && inodes.available < minFreeFiles);
}
